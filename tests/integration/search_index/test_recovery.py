"""What a crash, a lost folder or a second process does to the index: nothing that is seen in the end."""

from __future__ import annotations

import asyncio
import os
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from consumers.runner import run_consumer
from ecluse.core.db.databases import Databases
from ecluse.core.errors import Fenced
from ecluse.index.folder import FORMAT
from ecluse.index.protocol import Filters, Missing, Written
from ecluse.index.tantivy import Reader, Writer
from tests.conftest import SettingsFactory
from tests.integration.bus.store import Put, put
from tests.integration.search_index.feeding import Feeding, pointing, report, told

DEADLINE_S = 120.0


class Crash(Exception):
    """The process ends here."""


async def test_a_crash_between_index_and_books_repeats_and_doubles_nothing(
    feeding: Feeding, monkeypatch: pytest.MonkeyPatch
) -> None:
    await feeding.tell([report("d1", "Pas de fièvre.")])
    sink = feeding.sink

    async def crash(*_: Any) -> None:
        raise Fenced("the process ends here")

    monkeypatch.setattr(sink, "_write_index", _then(sink._write_index, crash))
    with pytest.raises(Fenced):
        await feeding.tell([told(report("d1", "Pas de toux."), 2), report("d2", "Pas de toux.")])
    await sink.close()
    assert feeding.found("toux") == ["DocumentReference/d1", "DocumentReference/d2"]
    assert [row[1] for row in await feeding.books()] == ["d1"]
    await feeding.open()
    assert await _walks(feeding) is None
    await feeding.tell([told(report("d1", "Pas de toux."), 2), report("d2", "Pas de toux.")])
    assert feeding.search("toux").total == 2
    assert [row[1:3] for row in await feeding.books()] == [("d1", "mapped"), ("d2", "mapped")]


def _then(first: Any, second: Any) -> Any:
    async def both(*arguments: Any) -> None:
        await first(*arguments)
        await second()

    return both


async def test_a_transaction_that_fails_leaves_an_index_that_the_next_one_puts_right(feeding: Feeding) -> None:
    await feeding.tell([pointing("d1", "b1")])
    await feeding.databases.store.execute(
        "ALTER TABLE bus.ledger ADD CONSTRAINT never CHECK (id <> 'd2' OR state <> 'mapped')"
    )
    with pytest.raises(Exception, match="never"):
        await feeding.tell([report("d2", "Pas de fièvre.")])
    await feeding.databases.store.execute("ALTER TABLE bus.ledger DROP CONSTRAINT never")
    await feeding.tell([report("d2", "Pas de toux.")])
    assert (feeding.found("fièvre"), feeding.found("toux")) == ([], ["DocumentReference/d2"])


async def _walks(feeding: Feeding) -> bool | None:
    found: bool | None = await feeding.databases.store.fetchval(
        "SELECT walking FROM bus.consumer WHERE consumer = 'search'"
    )
    return found


@pytest.mark.parametrize("damage", ["lost", "older", "broken", "restored", "another"])
async def test_an_index_that_lost_something_is_built_again_from_the_store(
    settings: SettingsFactory, databases: Databases, tmp_path: Path, damage: str
) -> None:
    given = settings()
    home = given.data / "index"
    reader = Reader(home)
    async with databases.store.acquire() as conn:
        await put(conn, [_put("d1", "Pas de fièvre.")])
    await _consume_until(given, reader, "fièvre", 1)
    shutil.copytree(home, tmp_path / "copy")
    async with databases.store.acquire() as conn:
        await put(conn, [_put("d2", "Pas de fièvre.")])
    await _consume_until(given, reader, "fièvre", 2)
    await _harm(damage, home, tmp_path / "copy", databases)
    await _consume_until(given, reader, "fièvre", 2)
    assert reader.search("orphelin", Filters(), limit=1).total == 0


def _put(report_id: str, text: str) -> Put:
    return Put("DocumentReference", report_id, report(report_id, text), "p1")


async def _harm(damage: str, home: Path, copy: Path, databases: Databases) -> None:
    if damage == "broken":
        for segment in (home / FORMAT).glob("*.term"):
            segment.unlink()
    elif damage == "restored":
        await databases.store.execute("UPDATE bus.epoch SET timeline = timeline - 1")
    elif damage == "another":
        _orphan(home)
        await databases.store.execute("DELETE FROM search.generation")
    else:
        shutil.rmtree(home)
    if damage == "older":
        shutil.copytree(copy, home)
    if damage == "restored":
        _orphan(home)


def _orphan(home: Path) -> None:
    """A report that the store does not know."""
    from ecluse.index.protocol import Entry

    writer = Writer(home)
    writer.add([Entry(key="default/DocumentReference/d9", site="default", text="orphelin fièvre")])
    writer.commit()
    writer.close()


async def _consume_until(settings: Any, reader: Reader, text: str, total: int) -> None:
    """Runs the real consumer until a search finds so many reports."""
    stop = asyncio.Event()
    running = asyncio.create_task(run_consumer(settings, "search", stop))
    deadline = asyncio.get_running_loop().time() + DEADLINE_S
    try:
        while _total(reader, text) != total:
            assert not running.done(), running.result()
            assert asyncio.get_running_loop().time() < deadline, f"{_total(reader, text)} found, not {total}"
            await asyncio.sleep(0.02)
    finally:
        stop.set()
        await running
    assert _total(reader, text) == total


def _total(reader: Reader, text: str) -> int | None:
    try:
        return reader.search(text, Filters(), limit=1).total
    except Missing:
        return None


async def test_an_index_that_vanishes_under_the_consumer_is_opened_anew(
    settings: SettingsFactory, databases: Databases
) -> None:
    given = settings()
    reader = Reader(given.data / "index")
    stop = asyncio.Event()
    running = asyncio.create_task(run_consumer(given, "search", stop))
    try:
        for number in (1, 2):
            async with databases.store.acquire() as conn:
                await put(conn, [_put(f"d{number}", "Pas de fièvre.")])
            deadline = asyncio.get_running_loop().time() + DEADLINE_S
            while _total(reader, "fièvre") != number:
                assert not running.done(), running.result()
                assert asyncio.get_running_loop().time() < deadline
                await asyncio.sleep(0.02)
            if number == 1:
                shutil.rmtree(given.data / "index" / FORMAT)
    finally:
        stop.set()
        await running


def test_a_second_writer_is_refused_and_told_who_writes(tmp_path: Path) -> None:
    writer = Writer(tmp_path / "index")
    code = "import sys; from pathlib import Path; from ecluse.index.tantivy import Writer; Writer(Path(sys.argv[1]))"
    done = subprocess.run([sys.executable, "-c", code, str(tmp_path / "index")], capture_output=True, text=True)
    assert done.returncode == 1
    assert f"is written by process {os.getpid()} already" in done.stderr
    with pytest.raises(Written):
        Writer(tmp_path / "index")
    writer.close()
    Writer(tmp_path / "index").close()


def test_a_killed_writer_leaves_the_index_to_the_next_one(tmp_path: Path) -> None:
    code = (
        "import os, signal, sys; from pathlib import Path; from ecluse.index.tantivy import Writer\n"
        "from ecluse.index.protocol import Entry\n"
        "writer = Writer(Path(sys.argv[1]))\n"
        "writer.add([Entry(key='s/T/1', site='s', text='gardé')]); writer.commit()\n"
        "writer.add([Entry(key='s/T/2', site='s', text='perdu')])\n"
        "os.kill(os.getpid(), signal.SIGKILL)"
    )
    subprocess.run([sys.executable, "-c", code, str(tmp_path / "index")], check=False)
    writer = Writer(tmp_path / "index")
    assert writer.opstamp > 0
    writer.close()
    reader = Reader(tmp_path / "index")
    assert [reader.search(text, Filters(), limit=1).total for text in ("gardé", "perdu")] == [1, 0]


def test_only_its_owner_reads_the_folder(tmp_path: Path) -> None:
    Writer(tmp_path / "data" / "index").close()
    assert (tmp_path / "data" / "index").stat().st_mode & 0o077 == 0


def test_a_search_without_an_index_says_what_to_start(tmp_path: Path) -> None:
    with pytest.raises(Missing, match="ecluse consume search"):
        Reader(tmp_path / "index").search("fièvre", Filters(), limit=1)

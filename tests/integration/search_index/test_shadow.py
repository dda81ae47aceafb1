"""A text index that was built beside the live one, when a process ends between its books and its folder."""

from __future__ import annotations

import asyncio
import shutil
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import pytest

from consumers import abandoned
from consumers.beside import Difference
from consumers.search_index.shadow import IndexCopy
from ecluse.core.db.databases import Databases
from ecluse.core.errors import BadRequest, Fenced
from ecluse.index import folder
from tests.conftest import SettingsFactory
from tests.integration.search_index.feeding import Feeding, pointing, report

D1, D2, D3 = (f"DocumentReference/d{number}" for number in (1, 2, 3))


@pytest.fixture
def copy(feeding: Feeding) -> IndexCopy:
    """A copy that was not begun."""
    return IndexCopy(feeding.settings, feeding.databases)


@asynccontextmanager
async def built(feeding: Feeding, copy: IndexCopy) -> AsyncIterator[Any]:
    """A copy that has a report more than the live index, and a connection."""
    await feeding.tell([report("d1", "Pas de fièvre."), pointing("waits", "b1")])
    own = Feeding(feeding.settings, feeding.databases)
    own.sink = copy.sink()
    async with copy.pool.acquire() as conn:
        await copy.make(conn)
        await own.sink.open()
        await own.tell([report("d1", "Pas de fièvre."), report("d2", "Pas de toux."), pointing("waits", "b2")])
        await own.sink.close()
        yield conn


async def exchanged(copy: IndexCopy, conn: Any) -> None:
    """The process ends right after the transaction of the swap."""
    async with conn.transaction():
        found = await copy.put_right(conn)
    assert found["search.link"] == Difference(1, 0, 1)
    assert found["search.document"] == Difference(0, 1, 0)


@pytest.mark.parametrize("who", ["live", "again", "abort"])
async def test_whoever_comes_first_puts_an_exchanged_index_in_its_place(
    feeding: Feeding, copy: IndexCopy, who: str
) -> None:
    home = feeding.settings.data / "index"
    async with built(feeding, copy) as conn:
        await exchanged(copy, conn)
        # The old one is searched still, and no more written.
        assert (feeding.found("fièvre"), feeding.found("toux")) == ([D1], [])
        with pytest.raises(Fenced, match="taken the place"):
            await feeding.tell([report("d3", "Pas de toux.")])
        assert feeding.found("toux") == []
        assert not await copy.stands(conn)
        if who == "live":
            await feeding.sink.close()
            await feeding.open()
        elif who == "again":
            assert await copy.put_in_place(conn) == {"text index": Difference(1, 0, 0)}
        else:
            await abandoned.forget(copy, conn, copy.pool)
        assert feeding.found("toux") == [D2]
        await feeding.sink.close()
        await feeding.open()
        await feeding.tell([report("d3", "Pas de toux.")])
        assert feeding.found("toux") == [D2, D3]
        assert not await _walks(feeding)
        await abandoned.forget(copy, conn, copy.pool)
    assert sorted(path.name for path in home.iterdir()) == sorted(
        [folder.PRESENT, folder.present(home).name, "writer.lock"]
    )
    assert feeding.found("toux") == [D2, D3]


async def test_a_consumer_that_begins_in_the_middle_of_a_swap_takes_the_new_index(
    feeding: Feeding, copy: IndexCopy
) -> None:
    await feeding.sink.close()
    await feeding.open()
    async with built(feeding, copy) as conn:
        await feeding.sink.close()
        async with conn.transaction():
            await copy.put_right(conn)
            opening = asyncio.create_task(feeding.open())
            waits = "SELECT count(*) FROM pg_locks WHERE NOT granted AND locktype IN ('transactionid', 'tuple')"
            while not await conn.fetchval(waits):
                assert not opening.done()
                await asyncio.sleep(0.01)
        await opening
        assert feeding.found("toux") == [D2]
        assert not await _walks(feeding)


async def test_a_copy_whose_folder_was_lost_begins_again(feeding: Feeding, copy: IndexCopy) -> None:
    async with built(feeding, copy) as conn:
        assert await copy.stands(conn)
        shutil.rmtree(folder.beside(feeding.settings.data / "index"))
        assert not await copy.stands(conn)
        sink = copy.sink()
        with pytest.raises(BadRequest, match="--abort"):
            await sink.open()
        assert await copy.there(conn)
        await abandoned.forget(copy, conn, copy.pool)
        assert not await copy.there(conn)


async def test_a_copy_is_built_where_the_live_index_is(
    feeding: Feeding, settings: SettingsFactory, databases: Databases, tmp_path: Path
) -> None:
    elsewhere = IndexCopy(settings(data=tmp_path / "elsewhere"), databases)
    async with elsewhere.pool.acquire() as conn:
        with pytest.raises(BadRequest, match="ECLUSE_DATA"):
            await elsewhere.make(conn)


async def test_a_folder_that_nobody_goes_on_with_is_dropped(feeding: Feeding, copy: IndexCopy) -> None:
    async with built(feeding, copy) as conn:
        await conn.execute(
            "INSERT INTO bus.consumer (consumer, epoch, walking, updated) "
            "VALUES ($1, 1, true, now() - interval '25 h')",
            copy.name,
        )
    assert await abandoned.expire(copy, copy.pool)
    assert not folder.beside(feeding.settings.data / "index").exists()
    assert not await abandoned.expire(copy, copy.pool)
    assert feeding.found("fièvre") == [D1]


async def _walks(feeding: Feeding) -> bool:
    return bool(await feeding.databases.store.fetchval("SELECT walking FROM bus.consumer WHERE consumer = 'search'"))

"""Bulk jobs when things go wrong: kill -9, cancel, expiry, too many at once, several workers.

A lock on the table of versions holds a job where it reads or writes, for as long as a test needs.
"""

from __future__ import annotations

import json
import signal
import time
import uuid
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import asyncpg
import httpx
import psutil
import pytest

from tests.services.postgres import Postgres
from tests.services.server import Served, serving
from tests.spec.bulk import ASYNC, ended, files, kick_off

PATIENCE_S = 120
LINES = 30_000
MODES = {"one process": {"ECLUSE_WORKERS": "1"}, "of two workers": {"ECLUSE_WORKERS": "2"}}


@contextmanager
def held(postgres: Postgres, database: str) -> Iterator[None]:
    """Nobody reads or writes a version meanwhile."""
    conn = postgres.wait(asyncpg.connect(database))
    transaction = conn.transaction()
    postgres.wait(transaction.start())
    postgres.wait(conn.execute("LOCK TABLE fhir.version IN ACCESS EXCLUSIVE MODE"))
    try:
        yield
    finally:
        postgres.wait(transaction.rollback())
        postgres.wait(conn.close())


def until(holds: Callable[[], Any], what: str) -> None:
    """Returns when it holds."""
    deadline = time.monotonic() + PATIENCE_S
    while not holds():
        assert time.monotonic() < deadline, what
        time.sleep(0.05)


def client_of(served: Served) -> httpx.Client:
    """A client of the default site."""
    return httpx.Client(base_url=f"{served.url}/fhir", timeout=60)


def filled(client: httpx.Client, count: int) -> set[str]:
    """The ids of so many new patients."""
    ids = {str(uuid.uuid4()) for _ in range(count)}
    entries = [
        {"resource": {"resourceType": "Patient", "id": each}, "request": {"method": "PUT", "url": f"Patient/{each}"}}
        for each in ids
    ]
    answer = client.post("/", json={"resourceType": "Bundle", "type": "transaction", "entry": entries})
    assert answer.status_code == 200
    return ids


def progress(client: httpx.Client, address: str) -> str:
    """What the job says of itself."""
    return client.get(address).headers.get("x-progress", "")


def kill(served: Served) -> None:
    """Ends whoever works, as a power cut does: the server, or all its workers."""
    children = psutil.Process(served.process.pid).children(recursive=True)
    workers = [child for child in children if "spawn_main" in " ".join(child.cmdline())]
    for process in workers or [psutil.Process(served.process.pid)]:
        process.send_signal(signal.SIGKILL)
    psutil.wait_procs(workers, timeout=60)
    if not workers:
        served.process.wait()


@contextmanager
def killed(served: Served, data: Path, variables: dict[str, str]) -> Iterator[Served]:
    """The server after kill -9: started again, or by its own parent."""
    kill(served)
    if served.process.poll() is None:
        served.wait_until_healthy()
        yield served
    else:
        with serving(data, port=served.port, **variables) as again:
            yield again


@pytest.mark.parametrize("mode", MODES)
def test_an_export_whose_server_is_killed_is_taken_up_again(
    postgres: Postgres, empty_database: str, tmp_path: Path, mode: str
) -> None:
    variables = {"ECLUSE_DATABASE_URL": empty_database, **MODES[mode]}
    with serving(tmp_path, **variables) as served, client_of(served) as client:
        ids = filled(client, 200)
        with held(postgres, empty_database):
            address = kick_off(client, "/$export?_type=Patient")
            until(lambda: "steps" in progress(client, address), "the export began")
            kill_now = killed(served, tmp_path, variables)
            again = kill_now.__enter__()
        try:
            with client_of(again) as client:
                answer = ended(client, address)
                assert answer.status_code == 200, answer.text
                found = files(client, answer.json())["output"]["Patient"]
                assert {each["id"] for each in found} == ids
                assert len(found) == len(ids)
        finally:
            kill_now.__exit__(None, None, None)


@pytest.mark.parametrize("mode", MODES)
def test_an_import_whose_server_is_killed_goes_on_behind_the_last_line_it_wrote(
    postgres: Postgres, empty_database: str, tmp_path: Path, mode: str
) -> None:
    variables = {"ECLUSE_DATABASE_URL": empty_database, **MODES[mode]}
    lines = [
        b'{"resourceType":"Patient","telecom":[{"system":"other","value":"%d"}]}\n' % number for number in range(LINES)
    ]
    for number in range(0, LINES, 1000):
        lines[number] = b'{"resourceType":"Patient","nom":"x"}\n'
    with serving(tmp_path, **variables) as served, client_of(served) as client:
        headers = {**ASYNC, "Content-Type": "application/fhir+ndjson"}
        answer = client.post("/$import", content=b"".join(lines), headers=headers)
        address = answer.headers["content-location"]

        def some() -> bool:
            count = progress(client, address).partition(" ")[0]
            return count.isdigit() and int(count) > 2000

        until(some, "some lines were written")
        with killed(served, tmp_path, variables) as again, client_of(again) as client:
            answer = ended(client, address)
            assert answer.status_code == 200, answer.text
            manifest = answer.json()
            assert manifest["output"][0]["count"] == LINES - LINES // 1000
            assert manifest["error"][0]["count"] == LINES // 1000
            outcomes = files(client, manifest)["error"]["OperationOutcome"]
            refused = [outcome["issue"][0]["extension"][1]["valueInteger"] for outcome in outcomes]
            assert refused == list(range(1, LINES, 1000))
            exported = ended(client, kick_off(client, "/$export?_type=Patient")).json()
            written = files(client, exported)["output"]["Patient"]
            numbers = sorted(int(each["telecom"][0]["value"]) for each in written)
            assert numbers == [number for number in range(LINES) if number % 1000]
            assert _counted(postgres, empty_database, "bus.outbox WHERE lane = 1 AND op = 1") == len(numbers)
            status = json.loads(again.ecluse("status", "--json"))
            assert status["stored"]["default"]["Patient"]["present"] == len(numbers)


def test_a_job_that_is_cancelled_while_it_runs_leaves_nothing(
    postgres: Postgres, empty_database: str, tmp_path: Path
) -> None:
    with serving(tmp_path, ECLUSE_DATABASE_URL=empty_database) as served, client_of(served) as client:
        filled(client, 10)
        with held(postgres, empty_database):
            address = kick_off(client, "/$export")
            until(lambda: "steps" in progress(client, address), "the export began")
            assert client.delete(address).status_code == 202
            assert client.get(address).status_code == 404
            until(lambda: _connections(postgres, empty_database) == 0, "the export let go of the database")
        until(lambda: not list((tmp_path / "bulk").iterdir()), "its files are gone")
        assert ended(client, kick_off(client, "/$export")).status_code == 200


def _counted(postgres: Postgres, database: str, rows: str) -> int:
    """How many rows of the database there are."""

    async def count() -> int:
        conn = await asyncpg.connect(database)
        try:
            return int(await conn.fetchval(f"SELECT count(*) FROM {rows}"))
        finally:
            await conn.close()

    return postgres.wait(count())


def _connections(postgres: Postgres, database: str) -> int:
    """How many exports read the database."""
    return _counted(
        postgres,
        database,
        "pg_stat_activity WHERE application_name = 'ecluse export' AND datname = current_database()",
    )


def test_files_are_closed_to_others_and_gone_when_they_expire(empty_database: str, tmp_path: Path) -> None:
    variables = {"ECLUSE_DATABASE_URL": empty_database, "ECLUSE_BULK_KEEP_S": "3"}
    with serving(tmp_path, **variables) as served, client_of(served) as client:
        filled(client, 10)
        address = kick_off(client, "/$export")
        manifest = ended(client, address).json()
        (file,) = (tmp_path / "bulk").rglob("*.ndjson")
        assert file.stat().st_mode & 0o777 == 0o600
        assert {folder.stat().st_mode & 0o077 for folder in file.parents if tmp_path in folder.parents} == {0}
        assert client.get(manifest["output"][0]["url"]).status_code == 200
        until(lambda: client.get(address).status_code == 404, "the job expires")
        assert client.get(manifest["output"][0]["url"]).status_code == 404
        until(lambda: not list((tmp_path / "bulk").iterdir()), "its files are gone")


def test_so_many_run_at_once_and_when_too_many_wait_the_next_is_sent_away(
    postgres: Postgres, empty_database: str, tmp_path: Path
) -> None:
    variables = {"ECLUSE_DATABASE_URL": empty_database, "ECLUSE_BULK_JOBS": "1", "ECLUSE_WORKERS": "2"}
    with serving(tmp_path, **variables) as served, client_of(served) as client:
        filled(client, 10)
        with held(postgres, empty_database):
            first = kick_off(client, "/$export")
            until(lambda: "steps" in progress(client, first), "the first began")
            waiting = [kick_off(client, "/$export?_type=Patient") for _ in range(50)]
            answer = client.get("/$export", headers=ASYNC)
            assert answer.status_code == 429
            assert answer.headers["retry-after"].isdigit()
            assert answer.json()["issue"][0]["code"] == "throttled"
            assert {progress(client, each) for each in waiting} == {"waits for its turn"}
        for address in (first, *waiting[:3]):
            assert ended(client, address).status_code == 200
        for address in waiting[3:]:
            client.delete(address)
        assert client.get("/$export", headers=ASYNC).status_code == 202


def test_a_job_that_was_stopped_with_its_server_is_taken_up_by_the_next(empty_database: str, tmp_path: Path) -> None:
    variables = {"ECLUSE_DATABASE_URL": empty_database}
    lines = b"".join(
        b'{"resourceType":"Patient","telecom":[{"system":"other","value":"%d"}]}\n' % number for number in range(LINES)
    )
    with serving(tmp_path, **variables) as served, client_of(served) as client:
        headers = {**ASYNC, "Content-Type": "application/fhir+ndjson"}
        address = client.post("/$import", content=lines, headers=headers).headers["content-location"]
        until(lambda: "steps" in progress(client, address), "the import began")
        served.stop()
        assert served.process.returncode == 0, "it ended by itself, with the import under way"
        with serving(tmp_path, port=served.port, **variables) as again, client_of(again) as client:
            assert ended(client, address).json()["output"][0]["count"] == LINES

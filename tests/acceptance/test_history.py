"""`ecluse load --history`: an archive beside the live flow, through a kill, and a table of what was left."""

from __future__ import annotations

import json
import signal
import subprocess
import sys
import time
import uuid
from collections.abc import AsyncIterator, Iterator
from pathlib import Path

import asyncpg
import httpx
import pytest

from tests.services.server import Served, serving
from tests.spec.test_transaction import bundle, observation, post, put

FILES, A_FILE = 120, 60
WITHIN_S = 60
COUNT = "SELECT count(*) FROM fhir.resource WHERE version > 0"
VERSIONS = "SELECT count(*), count(DISTINCT pk), min(w.lane) FROM fhir.version JOIN fhir.write w USING (write_id)"
EVENTS = "SELECT count(*), min(lane) FROM bus.outbox"


@pytest.fixture
def served(empty_database: str, tmp_path: Path) -> Iterator[Served]:
    """A server without consumers."""
    with serving(tmp_path / "data", ECLUSE_DATABASE_URL=empty_database) as served:
        yield served


@pytest.fixture
async def store(served: Served, empty_database: str) -> AsyncIterator[asyncpg.Connection]:
    """A connection to what the server writes."""
    conn = await asyncpg.connect(empty_database)
    yield conn
    await conn.close()


async def test_a_killed_load_of_history_goes_on_and_writes_nothing_twice(
    served: Served, store: asyncpg.Connection, tmp_path: Path
) -> None:
    archive = tmp_path / "archive"
    archive.mkdir()
    for number in range(FILES):
        entries = [post(observation("Patient/p", note=[{"text": f"{number}/{n}"}])) for n in range(A_FILE)]
        (archive / f"year-{number:03}.json").write_text(json.dumps(bundle(*entries)))
    command = [sys.executable, "-m", "ecluse", "load", "--history", str(archive)]
    deadline = time.monotonic() + WITHIN_S
    with subprocess.Popen(command, env=served.environment, stderr=subprocess.DEVNULL) as loading:
        while await store.fetchval(COUNT) < A_FILE and time.monotonic() < deadline:
            assert loading.poll() is None
        loading.send_signal(signal.SIGKILL)
    assert A_FILE <= await store.fetchval(COUNT) < FILES * A_FILE
    told = served.ecluse("load", "--history", str(archive))
    assert "been answered before" in told
    assert tuple(await store.fetchrow(VERSIONS)) == (FILES * A_FILE, FILES * A_FILE, 1)
    assert tuple(await store.fetchrow(EVENTS)) == (FILES * A_FILE, 1)


def test_the_table_tells_what_was_left_as_it_came_live(served: Served, tmp_path: Path) -> None:
    ids = [str(uuid.uuid4()) for _ in range(5)]
    people = [{"resourceType": "Patient", "id": one, "active": True} for one in ids]
    for one in ids[:3]:
        httpx.put(f"{served.url}/fhir/Patient/{one}", json={"resourceType": "Patient", "id": one}).raise_for_status()
    (tmp_path / "alone.json").write_text(json.dumps(people[0]))
    (tmp_path / "lines.ndjson").write_text("\n".join(map(json.dumps, (people[1], people[3]))))
    (tmp_path / "whole.json").write_text(json.dumps(bundle(put(people[2]), put(people[4]))))
    paths = [str(tmp_path / name) for name in ("alone.json", "lines.ndjson", "whole.json")]
    told = served.ecluse("load", "--history", *paths)
    assert "left as it came live" in told
    assert ["Patient", "2", "3"] in [line.replace("│", " ").split() for line in told.splitlines()]
    kept = [httpx.get(f"{served.url}/fhir/Patient/{one}").json().get("active") for one in ids]
    assert kept == [None, None, None, True, True]
    assert "left as it came live" not in served.ecluse("load", *paths)
    assert [httpx.get(f"{served.url}/fhir/Patient/{one}").json()["active"] for one in ids] == [True] * 5

"""`ecluse replay warehouse --into shadow`: built beside writes, killed and gone on with, then in place at once."""

from __future__ import annotations

import json
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import asyncpg
import httpx
import pytest

from tests.acceptance.sender import Sender
from tests.acceptance.shadowed import SOURCES, bus, killed, left, object_to, purge, refused
from tests.integration.warehouse.state import state
from tests.services.postgres import Postgres
from tests.services.server import Served, serving

BUNDLES = 6


@pytest.fixture(params=SOURCES, ids="-".join)
def source(request: pytest.FixtureRequest) -> tuple[str, str]:
    """A log, and what copies are filled from."""
    found: tuple[str, str] = request.param
    return found


@pytest.fixture
def served(
    source: tuple[str, str], postgres: Postgres, kafka: str, tmp_path: Path, hub_folder: Path
) -> Iterator[Served]:
    """A server with patients in its warehouse."""
    own = bus(source[0], kafka)
    with postgres.database("template0") as url, serving(tmp_path / "data", "up", ECLUSE_DATABASE_URL=url, **own) as up:
        Sender(f"{up.url}/fhir", BUNDLES).start().finish()
        up.ecluse("wait", "--timeout", "120")
        yield up


@contextmanager
def writing(served: Served) -> Iterator[list[str]]:
    """Patients that come, change and go meanwhile; the ids of those that stand."""
    ending, standing = threading.Event(), []

    def write() -> None:
        with httpx.Client(base_url=f"{served.url}/fhir", timeout=60) as client:
            for number in range(100_000):
                if ending.is_set():
                    return
                patient = {"resourceType": "Patient", "id": f"live-{number}", "birthDate": "1970-01-01"}
                client.put(f"/Patient/live-{number}", json=patient).raise_for_status()
                client.put(f"/Patient/live-{number}", json={**patient, "gender": "male"}).raise_for_status()
                if number % 3:
                    standing.append(f"live-{number}")
                else:
                    client.delete(f"/Patient/live-{number}").raise_for_status()

    thread = threading.Thread(target=write)
    thread.start()
    try:
        yield standing
    finally:
        ending.set()
        thread.join()


def put(served: Served, patient: str, **given: Any) -> None:
    """Writes a patient."""
    body = {"resourceType": "Patient", "id": patient, **given}
    httpx.put(f"{served.url}/fhir/Patient/{patient}", json=body, timeout=60).raise_for_status()


async def changed(served: Served, conn: asyncpg.Connection) -> None:
    """Two object, of whom one is written once more; one goes for good."""
    for patient in ("objects", "silent"):
        await object_to(conn, patient)
    put(served, "objects", birthDate="1971-01-01")
    purge(served, "purged")


async def spoil(conn: asyncpg.Connection) -> None:
    """Rows changed, lost and made up by hand."""
    await conn.execute("UPDATE omop.measurement SET value_as_number = 0 WHERE measurement_id % 2 = 0")
    await conn.execute("DELETE FROM omop.visit_occurrence WHERE visit_occurrence_id % 2 = 0")
    await conn.execute(
        "INSERT INTO omop.death (person_id, death_date) SELECT person_id, '2020-01-01' FROM omop.person LIMIT 2"
    )


async def test_a_shadow_takes_the_place_of_spoilt_tables(served: Served, source: tuple[str, str]) -> None:
    words = ["warehouse", "--from", source[1], "--into", "shadow"]
    conn = await asyncpg.connect(served.environment["ECLUSE_DATABASE_URL"])
    before = await state(conn)
    ids: list[Any] = await conn.fetch("SELECT * FROM omop_map.id_map ORDER BY omop_table, omop_id")
    for patient in ("objects", "silent", "purged"):
        put(served, patient, birthDate="1970-01-01")
    served.ecluse("wait", "--timeout", "120")
    await spoil(conn)
    await conn.execute("CREATE ROLE analyst; GRANT USAGE ON SCHEMA omop TO analyst")
    await conn.execute("GRANT SELECT ON ALL TABLES IN SCHEMA omop TO analyst")
    await conn.execute("CREATE VIEW women AS SELECT * FROM omop.person WHERE gender_concept_id = 8532")
    counted = await asyncpg.connect(served.environment["ECLUSE_DATABASE_URL"])
    with writing(served) as standing:
        # Killed in the middle, the same command goes on.
        said = await killed(served, conn, words, lambda: changed(served, conn))
        # Somebody who reads sees all of the old or all of the new, for as long as one looks.
        async with counted.transaction(isolation="repeatable_read"):
            visits = await counted.fetchval("SELECT count(*) FROM omop.visit_occurrence")
            said += served.ecluse("replay", *words, timeout_s=300)
            assert await counted.fetchval("SELECT count(*) FROM omop.visit_occurrence") == visits
        assert "omop.visit_occurrence" in said
        assert ("topics of last states" in said) == (source[1] == "topic")
        time.sleep(1)
    served.ecluse("wait", "--timeout", "120")
    after = await state(conn)
    for table in before.keys() - {"person", "observation_period", "id_map"}:
        assert after[table] == before[table], table
    # Neither of the patients who object nor of the one who was purged.
    assert len(after["person"]) == len(before["person"]) + len(standing)
    kept = await conn.fetch(
        "SELECT * FROM omop_map.id_map WHERE resource_id NOT LIKE 'live-%' ORDER BY omop_table, omop_id"
    )
    assert kept == ids
    # Grants and views hold, nothing of the shadow is left.
    assert await conn.fetchval("SELECT has_table_privilege('analyst', 'omop.measurement', 'SELECT')")
    assert await conn.fetchval("SELECT count(*) FROM women") > 0
    assert await left(conn) == []
    consumers = json.loads(served.ecluse("status", "--json"))["consumers"]
    assert all(row["balanced"] and not row["dead"] for row in consumers), consumers
    # What comes afterwards reaches the tables.
    httpx.put(
        f"{served.url}/fhir/Patient/late", json={"resourceType": "Patient", "id": "late", "birthDate": "1980-01-01"}
    )
    served.ecluse("wait", "--timeout", "120")
    assert len((await state(conn))["person"]) == len(after["person"]) + 1
    await conn.execute("DROP VIEW women; DROP OWNED BY analyst; DROP ROLE analyst")
    await conn.close()
    await counted.close()


def test_what_has_no_shadow_says_why(postgres: Postgres, tmp_path: Path, hub_folder: Path) -> None:
    own = {"ECLUSE_HUB_PROJECTS": str(hub_folder)}
    with postgres.database("template0") as url, serving(tmp_path, ECLUSE_DATABASE_URL=url, **own) as served:
        for words, told in (
            (["warehouse", "--into", "shadow"], "has not begun"),
            (["search", "--into", "shadow"], "has not begun"),
            (["warehouse", "--from", "topic"], "add --into shadow"),
            (["warehouse", "--from", "topic", "--into", "shadow"], "The embedded log has no topics"),
            (["hub-trial", "--into", "shadow"], "A feed has no shadow"),
            (["warehouse"], "has never run"),
        ):
            assert told in refused(served, *words)
        for name in ("warehouse", "search"):
            assert "There was no shadow" in served.ecluse("replay", name, "--abort")

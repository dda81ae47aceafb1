"""`ecluse replay`: rows that were changed or lost stand again, under the same ids; an objection is followed at once."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import asyncpg

from tests.acceptance.sender import Sender
from tests.integration.warehouse.state import state
from tests.services.postgres import Postgres
from tests.services.server import Served, serving

BUNDLES = 6


def refused(served: Served, consumer: str) -> str:
    command = [sys.executable, "-m", "ecluse", "replay", consumer]
    done = subprocess.run(command, env=served.environment, capture_output=True, text=True, timeout=120, check=False)
    assert done.returncode == 1
    return done.stdout + done.stderr


async def test_what_was_spoilt_by_hand_stands_again(tmp_path: Path, postgres: Postgres, hub_folder: Path) -> None:
    with postgres.database("template0") as url:
        variables = {"ECLUSE_DATABASE_URL": url, "ECLUSE_HUB_PROJECTS": str(hub_folder), "ECLUSE_SUBSCRIPTIONS": "on"}
        with serving(tmp_path / "data", "up", **variables) as served:
            Sender(f"{served.url}/fhir", BUNDLES).start().finish()
            served.ecluse("wait", "--timeout", "120")
            conn = await asyncpg.connect(url)
            before = await state(conn)
            ids = await conn.fetch("SELECT * FROM omop_map.id_map ORDER BY omop_table, omop_id")
            fed = await conn.fetchval("SELECT count(*) FROM hub.feed")
            await conn.execute("UPDATE omop.measurement SET value_as_number = 0, person_id = 1")
            await conn.execute("DELETE FROM omop.condition_occurrence")
            await conn.execute("DELETE FROM omop.measurement WHERE measurement_id % 3 = 0")
            assert "made anew, now" in served.ecluse("replay", "warehouse")
            served.ecluse("replay", "hub-trial")
            served.ecluse("replay", "search")
            served.ecluse("wait", "--timeout", "120")
            assert await state(conn) == before
            assert await conn.fetch("SELECT * FROM omop_map.id_map ORDER BY omop_table, omop_id") == ids
            assert await conn.fetchval("SELECT count(*) FROM hub.feed") == fed, "nothing new was told"
            # An objection reaches both without a change of the patient.
            await conn.execute(
                "INSERT INTO identity.decision (person, purpose, decision, reason) "
                "SELECT min(person), 'research', 'withdraw', 'objection' FROM identity.person_patient"
            )
            served.ecluse("replay", "warehouse")
            served.ecluse("replay", "hub-trial")
            served.ecluse("wait", "--timeout", "120")
            assert len((await state(conn))["person"]) == BUNDLES - 1
            assert await conn.fetchval("SELECT count(*) FROM hub.state WHERE op = 'withdrawn'") > 0
            await conn.close()
            status = json.loads(served.ecluse("status", "--json"))
            for row in status["consumers"]:
                assert row["balanced"], row
                assert row["walk"] is None
            (search,) = [row for row in status["consumers"] if row["name"] == "search"]
            assert search["mapped"] == BUNDLES
            assert "$events" in refused(served, "subscriptions")
            assert "No consumer is called warehouze" in refused(served, "warehouze")

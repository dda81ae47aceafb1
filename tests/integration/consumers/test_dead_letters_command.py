"""`ecluse dead-letters show`: why and where one record was parked, without its content."""

from __future__ import annotations

import os
import subprocess
import sys
from datetime import UTC, datetime

import asyncpg

from consumers import dead_letters
from consumers.dead_letters import Failure, Source
from ecluse.bus.event import Event


def show(database: str, *words: str) -> tuple[int, str]:
    environment = {name: value for name, value in os.environ.items() if not name.startswith("ECLUSE_")}
    command = [sys.executable, "-m", "ecluse", "dead-letters", "show", *words]
    given = environment | {"ECLUSE_DATABASE_URL": database, "COLUMNS": "200"}
    done = subprocess.run(command, env=given, capture_output=True, text=True, timeout=120, check=False)
    return done.returncode, done.stdout + done.stderr


async def test_one_dead_letter_is_shown_and_another_name_is_told(database: str) -> None:
    event = Event(
        site="north",
        type="Patient",
        id="p",
        version=3,
        epoch=1,
        seq=7,
        op="updated",
        time=datetime(2026, 1, 1, tzinfo=UTC),
        body=b'{"resourceType": "Patient", "name": [{"family": "Secret"}]}',
    )
    conn = await asyncpg.connect(database)
    await dead_letters.park(conn, "warehouse", [Failure(event, 1, Source("fhir.patient.v1", 2, 41), "no birth date")])
    await conn.close()
    code, said = show(database, "warehouse", "north/Patient/p")
    assert code == 0, said
    for told in ("no birth date", "fhir.patient.v1", "41", "/sites/north/fhir/Patient/p/_history/3"):
        assert told in said
    assert "Secret" not in said
    code, said = show(database, "warehouse", "north/Patient/q")
    assert (code, "no dead letter of north/Patient/q" in said) == (1, True)
    assert "SITE/TYPE/ID" in show(database, "warehouse", "Patient/p")[1]
    assert "No consumer is called warehouze" in show(database, "warehouze", "north/Patient/p")[1]

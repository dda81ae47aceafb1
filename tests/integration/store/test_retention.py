"""What is kept for a time only is removed, and nothing else."""

from __future__ import annotations

import asyncio
import dataclasses
from datetime import timedelta

import pytest

from ecluse.core import clock
from ecluse.core.db.databases import Databases
from fhir_server.store import intake, retention
from fhir_server.store.keys import Keys
from fhir_server.store.write import Context, intent, write
from tests.conftest import SettingsFactory

DAY = timedelta(days=1)


async def _fill(databases: Databases, days: int) -> None:
    """A write, a note and an answer of so many days ago."""
    keys, then = Keys(), clock.now() - days * DAY
    context = Context(1, "default", "lab", f"r{days}", "fhir+json", then, method="POST", target="Patient")
    async with databases.store.acquire() as conn, conn.transaction():
        await write(conn, keys, [intent({"resourceType": "Patient"}, f"p{days}", new=True)], context)
        await intake.note(conn, keys, [intake.note_of(context, 400, "structure")])
        await conn.execute("INSERT INTO fhir.answered VALUES (1, 'lab', $1, '', $2, '')", f"k{days}", then)


async def test_old_notes_and_answers_go_and_the_rows_of_versions_stay(
    databases: Databases, settings: SettingsFactory
) -> None:
    for days in (1, 8, 100):
        await _fill(databases, days)
    assert await retention.remove(databases.store, settings()) == 3
    assert await retention.remove(databases.store, settings()) == 0
    async with databases.store.acquire() as conn:
        notes = await conn.fetch("SELECT request_id, nothing FROM fhir.write ORDER BY received_at, nothing")
        answers = await conn.fetch("SELECT key FROM fhir.answered")
    assert [tuple(row) for row in notes] == [
        ("r100", False),
        ("r8", False),
        ("r8", True),
        ("r1", False),
        ("r1", True),
    ]
    assert [row["key"] for row in answers] == ["k1"]


async def test_much_is_removed_in_small_transactions(
    databases: Databases, settings: SettingsFactory, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(retention, "MOST_AT_ONCE", 7)
    then = clock.now() - 10 * DAY
    async with databases.store.acquire() as conn:
        await conn.execute(
            "INSERT INTO fhir.answered SELECT 1, 'lab', n::text, '', $1, '' FROM generate_series(1, 100) n", then
        )
    assert sum(await asyncio.gather(*(retention.remove(databases.store, settings()) for _ in range(4)))) == 100


async def test_the_times_are_settings(databases: Databases, settings: SettingsFactory) -> None:
    await _fill(databases, 8)
    longer = dataclasses.replace(settings(), idempotency_days=9)
    assert await retention.remove(databases.store, longer) == 0
    shorter = dataclasses.replace(settings(), idempotency_days=9, intake_days=7)
    assert await retention.remove(databases.store, shorter) == 1

"""Each version has one event, whichever statement wrote it."""

from __future__ import annotations

import pytest

from ecluse.core import clock
from ecluse.core.db.databases import Databases
from fhir_server.store.keys import Keys
from fhir_server.store.versions import MANY
from fhir_server.store.write import Context, Intent, intent, write


@pytest.mark.parametrize("count", [1, MANY])
async def test_each_version_has_one_event_and_its_search_rows(databases: Databases, count: int) -> None:
    context = Context(1, "default", "", "r", "fhir+json", clock.now())
    names = [f"p{number}" for number in range(count)]
    rounds = [
        [intent({"resourceType": "Patient", "gender": "male"}, name, new=True) for name in names],
        [intent({"resourceType": "Patient", "gender": "female"}, name) for name in names],
        [Intent("Patient", name, None) for name in names],
    ]
    async with databases.store.acquire() as conn:
        for version, intents in enumerate(rounds, 1):
            async with conn.transaction():
                written = await write(conn, Keys(), intents, context)
            assert [one.version for one in written] == [version] * count
            events = await conn.fetch("SELECT pk, version, op FROM bus.outbox WHERE version = $1", version)
            versions = await conn.fetch("SELECT pk, version, op FROM fhir.version WHERE version = $1", version)
            assert sorted(map(tuple, events)) == sorted(map(tuple, versions))
            assert len(events) == count
            genders = await conn.fetchval("SELECT count(*) FROM fhir.token WHERE code = ANY ($1)", ["male", "female"])
            assert genders == (count if version < 3 else 0)

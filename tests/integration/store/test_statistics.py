"""A store that was just filled is known to the planner."""

from __future__ import annotations

import asyncio

from ecluse.core import clock
from ecluse.core.db.databases import Databases
from ecluse.core.fhir import types
from fhir_server.store import statistics
from fhir_server.store.keys import Keys
from fhir_server.store.write import SQL, Context, intent, write


async def test_after_a_load_a_lookup_by_id_uses_the_id(databases: Databases) -> None:
    context = Context(1, "default", "", "r", "fhir+json", clock.now())
    patients = [intent({"resourceType": "Patient"}, f"p{number}", new=True) for number in range(2000)]
    async with databases.store.acquire() as conn, conn.transaction():
        await write(conn, Keys(), patients, context)
    analysed: list[str] = []
    for _ in range(600):
        analysed += await statistics.refresh(databases.store)
        if "fhir.resource" in analysed and "fhir.version" in analysed:
            break
        await asyncio.sleep(0.1)
    assert analysed.count("fhir.resource") == 1
    async with databases.store.acquire() as conn:
        lookup = (
            SQL["lock"].replace("$1", "1").replace("$2::smallint[]", f"ARRAY[{types.number_of['Patient']}]::smallint[]")
        )
        plan = await conn.fetch(f"EXPLAIN {lookup}".replace("$3::text[]", "ARRAY['p7']"))
    assert any("resource_pkey" in row[0] for row in plan), [row[0] for row in plan]

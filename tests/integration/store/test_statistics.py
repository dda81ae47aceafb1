"""What was just filled is known to the planner."""

from __future__ import annotations

import asyncio
from typing import Any

from ecluse.core import clock
from ecluse.core.db import statistics
from ecluse.core.db.databases import Databases
from ecluse.core.fhir import types
from fhir_server.store.keys import Keys
from fhir_server.store.write import SQL, Context, intent, write

HELD = "SELECT omop_id FROM omop_map.id_map WHERE site = 'default' AND resource_type = 'Patient' AND resource_id = $1"
FILLED = """
    INSERT INTO omop_map.id_map (person, omop_id, omop_table, site, resource_type, resource_id)
    SELECT n, n, 'person', 'default', 'Patient', 'p' || n FROM generate_series(1, 5000) n"""


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


async def test_a_plan_kept_from_when_a_warehouse_was_empty_is_made_anew(databases: Databases) -> None:
    async with databases.warehouse.acquire() as conn:
        await conn.execute("VACUUM (ANALYZE) omop_map.id_map")
        await conn.execute("SET plan_cache_mode = force_generic_plan")
        await conn.execute(f"PREPARE held (text) AS {HELD}")
        await conn.execute("EXECUTE held('p7')")
        await conn.execute(FILLED)
        assert "Seq Scan" in await _plan(conn)
        for _ in range(600):
            if "omop_map.id_map" in await statistics.refresh(databases.warehouse):
                break
            await asyncio.sleep(0.1)
        assert "id_map_pkey" in await _plan(conn)


async def _plan(conn: Any) -> str:
    return "\n".join(row[0] for row in await conn.fetch("EXPLAIN EXECUTE held('p7')"))

"""What stands in the warehouse, with every id replaced by the resource that it came from.

Two warehouses that got the same resources in different orders give equal states.
"""

from __future__ import annotations

from typing import Any

import asyncpg

from ecluse.core.fhir import json
from mappers.warehouse.tables import LINKS, MAPPED, OWN, TABLES

POINTERS = {
    **LINKS,
    **OWN,
    "person_id": "person",
    "visit_occurrence_id": "visit_occurrence",
    "visit_detail_id": "visit_detail",
    "parent_visit_detail_id": "visit_detail",
}
FILLED = (*MAPPED, "observation_period")

Source = tuple[str, str, str, int]
"""(site, resource type, resource id, part)"""


async def state(conn: asyncpg.Connection) -> dict[str, list[Any]]:
    """Every row of omop and omop_map by table, in a stable order; ids are sources."""
    rows = await conn.fetch(
        "SELECT omop_table, omop_id, site, resource_type, resource_id, part, patient, person FROM omop_map.id_map"
    )
    sources: dict[tuple[str, int], Source] = {(table, omop_id): tuple(source) for table, omop_id, *source, _, _ in rows}
    assert len(sources) == len(rows)
    found: dict[str, list[Any]] = {"id_map": sorted((row[0], *row[2:7], row[7] is None) for row in rows)}
    for table in FILLED:
        records = await conn.fetch(f"SELECT * FROM omop.{table}")
        found[table] = sorted((_named(table, dict(record), sources) for record in records), key=repr)
        assert len(records) == sum(1 for name, _ in sources if name == table), f"{table} and id_map differ"
    for table in ("waiting", "link", "code"):
        records = await conn.fetch(f"SELECT * FROM omop_map.{table}")
        found[table] = sorted((_outside(dict(record), sources) for record in records), key=repr)
    return found


def _named(table: str, row: dict[str, Any], sources: dict[tuple[str, int], Source]) -> dict[str, Any]:
    pointers = {**POINTERS, TABLES[table].key: table}
    return {
        name: sources[pointers[name], value] if name in pointers and value is not None else value
        for name, value in row.items()
    }


def _outside(row: dict[str, Any], sources: dict[tuple[str, int], Source]) -> dict[str, Any]:
    row.pop("person", None)
    if "mapped" in row:
        rows, patient, encounter, _losses, code = json.decode(row["mapped"])
        row["mapped"] = sorted(rows, key=repr), patient, encounter, code
    if "omop_id" in row:
        row["omop_id"] = sources[row["omop_table"], row["omop_id"]]
    return row


async def empty(conn: asyncpg.Connection) -> None:
    """Forgets everything that was consumed."""
    tables = [f"omop.{table}" for table in FILLED] + [
        f"omop_map.{table}" for table in ("id_map", "waiting", "link", "code")
    ]
    await conn.execute("; ".join(f"DELETE FROM {table}" for table in (*tables, "bus.ledger", "bus.dead_letter")))

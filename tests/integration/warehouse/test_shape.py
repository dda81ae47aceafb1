"""The schema omop holds exactly the tables of OMOP CDM 5.4, and nothing else."""

from __future__ import annotations

from mappers.warehouse.tables import NUMBERED, TABLES, Column
from tests.integration.warehouse.feeding import Feeding

TYPES = {"i": "integer", "d": "date", "t": "timestamp without time zone", "f": "numeric"}


def type_of(column: Column) -> tuple[str, int | None]:
    if column.kind == "s":
        return ("character varying", column.limit) if column.limit else ("text", None)
    return TYPES[column.kind], None


async def test_schema_omop_is_cdm_5_4(feeding: Feeding) -> None:
    rows = await feeding.pool.fetch(
        "SELECT table_name, column_name, data_type, character_maximum_length, is_nullable "
        "FROM information_schema.columns WHERE table_schema = 'omop' ORDER BY table_name, ordinal_position"
    )
    found: dict[str, list[tuple[str, tuple[str, int | None], bool]]] = {}
    for table, name, kind, limit, nullable in rows:
        found.setdefault(table, []).append((name, (kind, limit), nullable == "NO"))
    declared = {
        name: [(column.name, type_of(column), column.required) for column in table.columns]
        for name, table in TABLES.items()
    }
    assert found == declared


async def test_no_row_needs_another_to_be_there_first(feeding: Feeding) -> None:
    assert (
        await feeding.pool.fetchval(
            "SELECT count(*) FROM pg_constraint WHERE contype = 'f' AND connamespace = 'omop'::regnamespace"
        )
        == 0
    )


async def test_every_id_comes_from_a_sequence_that_ends_with_four_bytes(feeding: Feeding) -> None:
    rows = await feeding.pool.fetch("SELECT sequencename, max_value FROM pg_sequences WHERE schemaname = 'omop_map'")
    assert {row[0]: row[1] for row in rows} == dict.fromkeys(NUMBERED, 2_147_483_647)

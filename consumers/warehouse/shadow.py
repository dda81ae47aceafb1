"""A second warehouse beside the one that is read, made anew and then compared with it.

Enters: changes, as the live sink gets them. Leaves: rows in schemas of their own, under the ids that the same rows have
in the live tables; at the end the live tables with what differed put right, in the caller's transaction. Tables keep
their identity, and with it the grants and views that a site has made on them.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from functools import cache
from typing import Any, NamedTuple

from consumers.abandoned import COPY
from consumers.sink import Change, Disposition
from consumers.warehouse.board import SQL as LIVE
from consumers.warehouse.board import Board, Key, columns
from consumers.warehouse.sink import WarehouseSink
from ecluse.core.db import queries
from mappers.warehouse.tables import MAPPED, TABLES

SQL = queries.load(__package__, "shadow.sql")
SCHEMAS = {"omop": "omop_shadow", "omop_map": "omop_map_shadow"}
KEYS = {
    **{f"omop.{table}": (TABLES[table].key,) for table in (*MAPPED, "observation_period")},
    "omop_map.id_map": ("site", "resource_type", "resource_id", "omop_table", "part"),
    "omop_map.waiting": ("site", "resource_type", "resource_id"),
    "omop_map.link": ("omop_table", "omop_id", "link"),
    "omop_map.code": ("site", "resource_type", "resource_id"),
}
"""What the consumer fills, and by what its rows are told apart. The other tables of the CDM are their owners'."""
_QUALIFIED = re.compile(r"(?<!')\b(omop|omop_map)\.(?=[a-z])")


class Difference(NamedTuple):
    """How many rows of a table were missing, other than they should be, or too many."""

    added: int
    changed: int
    removed: int


class ShadowSink(WarehouseSink):
    """The sink of the copy."""

    name = COPY
    several = False

    async def write(self, conn: Any, changes: Sequence[Change]) -> Sequence[Disposition]:
        """What became of each change, in order; one at a time with the writes of the live sink."""
        return await super().write(_Redirected(conn), changes)

    async def _kept_ids(self, conn: Any, board: Board) -> dict[tuple[Key, str, int], int]:
        """Those of the live rows."""
        rows = await conn.live.fetch(LIVE["held"], *columns(board.wishes))
        return {((site, kind, own), table, part): omop_id for site, kind, own, table, part, omop_id, *_ in rows}


class _Redirected:
    """A connection for which the schemas of the copy are the warehouse; sequences are the live ones."""

    def __init__(self, live: Any) -> None:
        self.live = live

    async def execute(self, sql: str, *values: Any) -> Any:
        return await self.live.execute(_redirected(sql), *values)

    async def fetch(self, sql: str, *values: Any) -> Any:
        return await self.live.fetch(_redirected(sql), *values)

    async def copy_records_to_table(self, table: str, *, schema_name: str, **given: Any) -> Any:
        return await self.live.copy_records_to_table(table, schema_name=SCHEMAS[schema_name], **given)


@cache
def _redirected(sql: str) -> str:
    return _QUALIFIED.sub(lambda found: f"{SCHEMAS[found[1]]}.", sql)


async def make(conn: Any) -> None:
    """Empty tables, as the live ones are."""
    for schema in SCHEMAS.values():
        await conn.execute(f"CREATE SCHEMA {schema}")
    for table in KEYS:
        await conn.execute(f"CREATE TABLE {_redirected(table)} (LIKE {table} INCLUDING ALL)")


async def stands(conn: Any) -> bool:
    """Whether every table of a copy is there."""
    found = {f"{live}.{row[0]}" for live, own in SCHEMAS.items() for row in await conn.fetch(SQL["tables"], own)}
    return KEYS.keys() <= found


async def put_right(conn: Any) -> dict[str, Difference]:
    """Makes the live tables what the copy is, in the caller's transaction, row by row where they differ."""
    await conn.execute(SQL["period_ids"])
    gone = {table: [await conn.fetchval(sql) for sql in (_surplus(table), _other(table))] for table in KEYS}
    found: dict[str, Difference] = {}
    for table, (removed, changed) in gone.items():
        written = await conn.fetchval(_missing(table))
        found[table] = Difference(written - changed, changed, removed)
    return found


def _surplus(table: str) -> str:
    """Deletes live rows that the copy has not; counts them."""
    return (
        f"WITH gone AS (DELETE FROM {table} l WHERE NOT EXISTS "  # noqa: S608
        f"(SELECT FROM {_redirected(table)} s WHERE {_same(table)}) RETURNING 1) SELECT count(*) FROM gone"
    )


def _other(table: str) -> str:
    """Deletes live rows that are other in the copy; counts them."""
    return (
        f"WITH gone AS (DELETE FROM {table} l USING {_redirected(table)} s WHERE {_same(table)} "  # noqa: S608
        "AND ROW(l.*) IS DISTINCT FROM ROW(s.*) RETURNING 1) SELECT count(*) FROM gone"
    )


def _missing(table: str) -> str:
    """Inserts rows of the copy that do not stand; counts them."""
    return (
        f"WITH new AS (INSERT INTO {table} SELECT s.* FROM {_redirected(table)} s WHERE NOT EXISTS "  # noqa: S608
        f"(SELECT FROM {table} l WHERE {_same(table)}) RETURNING 1) SELECT count(*) FROM new"
    )


def _same(table: str) -> str:
    return " AND ".join(f"l.{column} = s.{column}" for column in KEYS[table])

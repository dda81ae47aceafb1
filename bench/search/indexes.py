"""Which indexes of the search tables are used, by PostgreSQL's own counts.

Enters: a connection to the store, before and after searches. Leaves: the scans of each index.
"""

from __future__ import annotations

import asyncio

import asyncpg
import msgspec

REPORTED_AFTER_S = 12
"""A session reports its counts when it has been idle for ten seconds."""

INDEXES = """
    SELECT i.relname::text AS table, i.indexrelname::text AS index, i.idx_scan AS scans, i.idx_tup_read AS rows_read,
        pg_relation_size(i.indexrelid) AS bytes
    FROM pg_stat_user_indexes i
    WHERE i.schemaname = 'fhir' AND i.relname NOT IN ('flag', 'superseded', 'claim') AND EXISTS (
        SELECT FROM pg_attribute a WHERE a.attrelid = i.relid AND a.attname = 'pk' AND a.attidentity = '')
    ORDER BY 1, 2"""


class Scans(msgspec.Struct, frozen=True):
    """One index since the counts were reset."""

    table: str
    index: str
    scans: int
    rows_read: int
    bytes: int


async def reset(conn: asyncpg.Connection) -> None:
    """Begins to count anew."""
    await conn.execute("SELECT pg_stat_reset()")


async def scans(conn: asyncpg.Connection) -> list[Scans]:
    """All indexes of tables that are keyed by resource."""
    await asyncio.sleep(REPORTED_AFTER_S)
    return [Scans(*row) for row in await conn.fetch(INDEXES)]

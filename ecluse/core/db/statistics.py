"""The planner's statistics, kept young while a store or a warehouse grows.

Enters: a database's pool. Leaves: ANALYZE, table by table, soon after much was written. PostgreSQL's own does it once a
minute at the earliest; until then a database that was just filled looks empty to the planner, every index costs the
same to it, and a lookup by id may walk through all resources of a type. A plan that a connection keeps from when a
table was empty lasts until somebody analyses it: a warehouse that was filled anew walked through its table of wards for
every id, half a second a batch."""

from __future__ import annotations

from functools import partial

import asyncpg

from ecluse.core.db import queries
from ecluse.core.db.upkeep import only_one, repeated

SQL = queries.load(__package__, "statistics.sql")
EVERY_S = 2.0
LOCK = 0x5354_4154


async def keep(pool: asyncpg.Pool) -> None:
    """Looks every two seconds until cancelled."""
    await repeated(partial(refresh, pool), EVERY_S)


async def refresh(pool: asyncpg.Pool) -> list[str]:
    """The tables that were analysed; none when another process is at it."""
    async with pool.acquire() as conn, only_one(conn, LOCK) as alone, conn.transaction():
        stale = [row["name"] for row in await conn.fetch(SQL["stale"])] if alone else []
        for name in stale:
            await conn.execute(f"ANALYZE {name}")
        return stale

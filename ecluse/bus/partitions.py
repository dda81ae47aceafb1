"""Keeping the outbox ahead of its writers and behind its readers.

Enters: the partitions there are, the cursors of the readers. Leaves: partitions for the numbers still to come, and
none that every reader has passed. Run by every process that writes or reads the outbox; one at a time does the work.
"""

from __future__ import annotations

import asyncio
from typing import Any

import asyncpg

from ecluse.bus.backoff import pause, transient
from ecluse.bus.outbox import SQL
from ecluse.core.log import Log

log = Log("bus.partitions")
SIZE = 1 << 20
AHEAD = 2
EVERY_S = 10.0
UPKEEP_LOCK = 7305004


async def keep(pool: Any, stop: asyncio.Event) -> None:
    """Does the upkeep until `stop` is set; a failure waits for the next time."""
    while not stop.is_set():
        try:
            await upkeep(pool)
        except Exception as error:
            if not transient(error):
                raise
            log.warning("upkeep of the outbox failed", error=type(error).__name__)
        await pause(stop, EVERY_S)


async def upkeep(pool: Any) -> None:
    """Adds the partitions that are missing ahead, drops those that nobody needs."""
    async with pool.acquire() as conn:
        if not await conn.fetchval("SELECT pg_try_advisory_lock($1)", UPKEEP_LOCK):
            return
        try:
            await _extend(conn)
            await _shorten(conn)
        finally:
            await conn.execute("SELECT pg_advisory_unlock($1)", UPKEEP_LOCK)


async def _extend(conn: Any) -> None:
    drawn = await conn.fetchval(SQL["last_drawn"])
    high = (await conn.fetch(SQL["partitions"]))[-1]["high"]
    while high < (drawn // SIZE + 1 + AHEAD) * SIZE:
        await _add(conn, high)
        high += SIZE


async def _add(conn: Any, low: int) -> None:
    """Makes a table by itself and attaches it, which locks no writer out; CREATE … PARTITION OF would."""
    name = f"bus.outbox_{low // SIZE}"
    async with conn.transaction():
        await conn.execute(f"CREATE TABLE {name} (LIKE bus.outbox INCLUDING DEFAULTS INCLUDING INDEXES)")
        await conn.execute(f"ALTER TABLE bus.outbox ATTACH PARTITION {name} FOR VALUES FROM ({low}) TO ({low + SIZE})")
    log.info("partition added", partition=low // SIZE)


async def _shorten(conn: Any) -> None:
    lowest = await conn.fetchval(SQL["lowest_cursor"])
    drawn = await conn.fetchval(SQL["last_drawn"])
    for partition in await conn.fetch(SQL["partitions"]):
        if lowest is None or partition["high"] > min(lowest, drawn):
            return
        await _drop(conn, partition["name"])


async def _drop(conn: Any, name: str) -> None:
    # Dropping locks the parent. Whoever cannot have the lock at once must not queue for it: writers would queue behind.
    try:
        async with conn.transaction():
            await conn.execute("SET LOCAL lock_timeout = '100ms'")
            await conn.execute(f"DROP TABLE bus.{name}")
    except asyncpg.LockNotAvailableError:
        return
    log.info("partition dropped", reason=name)

"""Keeping the outbox ahead of its writers and behind its readers.

Enters: the partitions there are, the cursors of the readers, and how long and how much is to be kept. Leaves:
partitions for the numbers still to come, and none that every reader has passed and nobody may want to read again. Over
the budget they go before their time, and readers that can begin anew from the store are left behind, the slowest first;
what another reader has not read stays, and is told. Run by every process that writes or reads the outbox; one at a time
does the work.
"""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from datetime import timedelta
from typing import Any, NamedTuple

import asyncpg

from ecluse.bus.backoff import pause, transient
from ecluse.bus.outbox import SQL
from ecluse.core import clock
from ecluse.core.db.upkeep import only_one
from ecluse.core.log import Log
from ecluse.core.settings import Settings

log = Log("bus.partitions")
SIZE = 1 << 20
AHEAD = 2
EVERY_S = 10.0
TELL_EVERY_S = 600.0
"""How often the same alarm is told."""
UPKEEP_LOCK = 7305004


class Limits(NamedTuple):
    """days: how long events are kept that every reader has passed; budget_bytes: what the outbox may take"""

    days: int = 0
    budget_bytes: int = 1 << 62


AS_READ = Limits()
"""Events go as soon as every reader has passed them."""


class Size(NamedTuple):
    """What the outbox takes, who is farthest behind at which number, None when nobody reads it, and who was left
    behind."""

    bytes: int
    slowest: str | None
    seq: int | None
    lost: Sequence[str] = ()


def limits_of(settings: Settings) -> Limits:
    """Those of the settings."""
    return Limits(settings.events_days, settings.events_budget_bytes)


async def size(conn: Any) -> Size:
    """What the outbox takes now."""
    return Size(*await conn.fetchrow(SQL["size"]))


async def keep(pool: Any, stop: asyncio.Event, limits: Limits) -> None:
    """Does the upkeep until `stop` is set; a failure waits for the next time."""
    told_at = -TELL_EVERY_S
    while not stop.is_set():
        try:
            over = await upkeep(pool, limits)
            if over and clock.monotonic() >= told_at + TELL_EVERY_S:
                told_at = clock.monotonic()
                log.warning("outbox over its budget", bytes=over.bytes, consumer=over.slowest, seq=over.seq)
        except Exception as error:
            if not transient(error):
                raise
            log.warning("upkeep of the outbox failed", error=type(error).__name__)
        await pause(stop, EVERY_S)


async def upkeep(pool: Any, limits: Limits = AS_READ) -> Size | None:
    """Adds the partitions that are missing ahead, drops those that nobody needs; the size when it is over the budget
    still, None when it is not or when another process does the work."""
    async with pool.acquire() as conn, only_one(conn, UPKEEP_LOCK) as alone:
        if not alone:
            return None
        await _extend(conn)
        await _shorten(conn, limits)
        left = await size(conn)
    return left if left.bytes > limits.budget_bytes else None


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


async def _shorten(conn: Any, limits: Limits) -> None:
    drawn = await conn.fetchval(SQL["last_drawn"])
    for partition in await conn.fetch(SQL["partitions"]):
        if partition["high"] > drawn or not await _passed(conn, partition["high"], limits):
            return
        if await _wanted(conn, partition["high"], limits.days):
            if (await size(conn)).bytes <= limits.budget_bytes:
                return
            log.warning("events go before their time: the outbox is over its budget", seq=partition["high"])
        await _drop(conn, partition["name"])


async def _passed(conn: Any, high: int, limits: Limits) -> bool:
    """Whether every reader has passed a number. Over the budget those that have not are left behind, if they can be."""
    while True:
        found = await size(conn)
        if found.seq is None:
            return bool(found.lost)
        if found.seq >= high:
            return True
        if found.bytes <= limits.budget_bytes or not await conn.fetchval(SQL["lose"], found.slowest):
            return False
        log.error("reader is left behind: the outbox is over its budget", consumer=found.slowest, seq=found.seq)


async def _wanted(conn: Any, high: int, days: int) -> bool:
    """Whether the last event below a number is younger than so many days."""
    written = await conn.fetchval(SQL["written_before"], high)
    return written is not None and written > clock.now() - timedelta(days=days)


async def _drop(conn: Any, name: str) -> None:
    # Dropping locks the parent. Whoever cannot have the lock at once must not queue for it: writers would queue behind.
    try:
        async with conn.transaction():
            await conn.execute("SET LOCAL lock_timeout = '100ms'")
            await conn.execute(f"DROP TABLE bus.{name}")
    except asyncpg.LockNotAvailableError:
        return
    log.info("partition dropped", reason=name)

"""Records that a consumer cannot take, parked with their reason.

Enters: an event and why it failed. Leaves: the same event again when an operator asks for it. A dead letter is a
pointer: the content is read again from the store, so that what is erased there is in no dead letter either. A later
success of the same resource heals it; what nobody asked for in ECLUSE_DEAD_LETTERS_DAYS is given up, and told.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime, timedelta
from typing import Any, NamedTuple

from consumers.ledger import Key
from consumers.sink import Take
from ecluse.bus import snapshot
from ecluse.bus.event import Event
from ecluse.core import clock
from ecluse.core.db import queries
from ecluse.core.db.upkeep import repeated
from ecluse.core.log import Log

EXPIRE_EVERY_S = 3600.0
AT_ONCE = 1000
logger = Log("consumer")
SQL = queries.load(__package__, "dead_letters.sql")


class Source(NamedTuple):
    """Where a record was read. offset: seq in the embedded log"""

    topic: str
    partition: int
    offset: int


class Failure(NamedTuple):
    """An event that could not be taken, and why, in words without content."""

    event: Event
    person: int | None
    source: Source
    reason: str


class DeadLetter(NamedTuple):
    """A parked record, as `ecluse dead-letters list` shows it."""

    consumer: str
    site: str
    type: str
    id: str
    version: int
    epoch: int
    reason: str
    attempts: int
    failed_at: datetime
    event_time: datetime
    topic: str
    partition: int
    position: int
    replay: bool


async def park(conn: Any, consumer: str, failures: Sequence[Failure]) -> None:
    """Keeps records that could not be taken, in the transaction that moves past them."""
    if not failures:
        return
    rows = [
        (e.site, e.type, e.id, *e.order, e.op, e.patient, failure.person, e.time, *failure.source, failure.reason)
        for failure in failures
        for e in (failure.event,)
    ]
    await conn.execute(SQL["park"], consumer, *(list(column) for column in zip(*rows, strict=True)))


async def reasons(conn: Any, consumer: str) -> dict[str, int]:
    """How many dead letters a consumer has, by reason, the most frequent first."""
    return {row["reason"]: row["found"] for row in await conn.fetch(SQL["reasons"], consumer)}


async def heal(conn: Any, consumer: str, keys: Sequence[Key]) -> None:
    """Forgets the dead letters of resources that were taken."""
    if keys:
        await conn.execute(SQL["heal"], consumer, *(list(column) for column in zip(*keys, strict=True)))


async def listed(pool: Any, consumer: str | None = None, reason: str | None = None) -> list[DeadLetter]:
    """The dead letters of a database, oldest first."""
    return [DeadLetter(*row) for row in await pool.fetch(SQL["listed"], consumer, reason)]


async def of_resource(pool: Any, consumer: str, key: Key) -> DeadLetter | None:
    """The dead letter of a resource, None when the consumer has none of it."""
    row = await pool.fetchrow(SQL["one"], consumer, *key)
    return DeadLetter(*row) if row else None


async def replay(pool: Any, consumer: str, reason: str | None = None) -> int:
    """How many dead letters the running consumer will try again, within seconds."""
    status: str = await pool.execute(SQL["request_replay"], consumer, reason)
    return int(status.split()[-1])


async def requested(pool: Any, consumer: str, limit: int) -> list[Key]:
    """The resources that the consumer was asked to try again."""
    return [tuple(row) for row in await pool.fetch(SQL["requested"], consumer, limit)]


async def unrequest(conn: Any, consumer: str, keys: Sequence[Key]) -> None:
    """Leaves dead letters as they are when the store has nothing to try."""
    if keys:
        await conn.execute(SQL["unrequest"], consumer, *(list(column) for column in zip(*keys, strict=True)))


class Retrying:
    """Takes again the dead letters that an operator asked for."""

    def __init__(self, pool: Any, consumer: str, store: Any) -> None:
        """store: the store's database, from which their resources are read as they are by now."""
        self._pool, self._consumer, self._store = pool, consumer, store

    async def step(self, take: Take) -> bool:
        """Some of them. Returns: whether there are more"""
        keys = await requested(self._pool, self._consumer, AT_ONCE)
        if keys:
            events = await snapshot.by_key(self._store, keys, "replayed")
            if await take(snapshot.batch(events)):
                await unrequest(self._pool, self._consumer, keys)
        return len(keys) == AT_ONCE


async def drop(pool: Any, consumer: str, reason: str | None = None) -> int:
    """How many dead letters were given up; their resources count as excluded."""
    return int(await pool.fetchval(SQL["drop"], consumer, reason, None, "dead letter dropped"))


async def keep(pool: Any, consumer: str, days: int) -> None:
    """Gives up those that nobody has asked for in so many days, each hour until cancelled, and says how many."""

    async def given_up() -> None:
        if count := await expire(pool, consumer, days):
            logger.warning("dead letters are too old and are given up", consumer=consumer, count=count)

    await repeated(given_up, EXPIRE_EVERY_S)


async def expire(pool: Any, consumer: str, days: int) -> int:
    """How many dead letters last failed longer ago than that and were given up."""
    before = clock.now() - timedelta(days=days)
    return int(await pool.fetchval(SQL["drop"], consumer, None, before, f"dead letter older than {days} days"))

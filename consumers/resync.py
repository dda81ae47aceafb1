"""Bringing a consumer to the present state of the store when its log cannot, or when an operator asks for it.

Enters: a consumer whose log no longer reaches back to where it stopped, whose store was restored, or which is to be
filled anew. Leaves: the same consumer with the present version of every resource, without those the store does not have
any more, and placed in the log where the walk began. It goes in parts, between which what is live is taken; one that is
broken off goes on where it was.
"""

from __future__ import annotations

from typing import Any

from consumers import ledger
from consumers.offsets import SQL as OFFSETS
from consumers.offsets import stored
from consumers.sink import Sink, Take
from ecluse.bus import outbox, snapshot
from ecluse.bus.event import LANES, UNDONE, Event
from ecluse.core import clock
from ecluse.core.db import queries
from ecluse.core.fhir import types
from ecluse.core.log import Log

SQL = queries.load(__package__, "resync.sql")
logger = Log("resync")
LIMITS = (1000, 8 * 1024 * 1024)


async def begun(pool: Any, consumer: str, epoch: int) -> bool:
    """Whether a consumer has been placed in the log of this epoch."""
    state = await pool.fetchrow(SQL["state"], consumer)
    return state is not None and state["epoch"] == epoch


async def request(pool: Any, consumer: str) -> bool:
    """Asks for a walk from the beginning; False when one is under way, or the consumer has never run."""
    status: str = await pool.execute(SQL["request"], consumer)
    return status == "UPDATE 1"


async def progress(pool: Any, consumer: str) -> str | None:
    """The resource type at which a walk is, "" when it has just begun; None without one."""
    state = await pool.fetchrow(SQL["state"], consumer)
    return types.name_of[state["walk_type"]] if state and state["walking"] else None


class Resync:
    """One consumer's walk through the store."""

    def __init__(self, sink: Sink, store: Any, epoch: int, embedded: bool) -> None:
        """store: the store's database; embedded: the consumer reads the outbox, not Kafka."""
        self._sink = sink
        self._store = store
        self._epoch = epoch
        self._embedded = embedded

    async def begin(self) -> None:
        """Places the consumer where it has to begin, most often where it stopped."""
        state = await self._sink.pool.fetchrow(SQL["state"], self._sink.name)
        if state is None or state["epoch"] != self._epoch or not await self.reachable():
            await self._begin(first=state is None)

    async def step(self, take: Take) -> bool:
        """A part of the walk, when there is one. Returns: whether there is more of it"""
        state = await self._sink.pool.fetchrow(SQL["state"], self._sink.name)
        if state is None or not state["walking"]:
            return False
        place = snapshot.Place(state["walk_site"], state["walk_type"], state["walk_pk"])
        if place == snapshot.START:
            logger.info("walk through the store", consumer=self._sink.name)
        events, place = await snapshot.walk(self._store, place, self._sink.types, LIMITS)
        if events:
            if await take(snapshot.batch(events)):
                await self._sink.pool.execute(SQL["walked"], self._sink.name, *place)
            return True
        if await self._remove_left_behind(take):
            await self._sink.pool.execute(SQL["finished"], self._sink.name)
            logger.info("walk through the store is over", consumer=self._sink.name)
        return False

    async def reachable(self) -> bool:
        """Whether the log still holds what comes after the consumer's position."""
        if not self._embedded:
            return True
        if await self._store.fetchval(outbox.SQL["lost"], self._sink.name):
            return False
        lowest = (await self._store.fetch(outbox.SQL["partitions"]))[0]["low"]
        positions = await stored(self._sink.pool, self._sink.name)
        return all(max(positions.get((outbox.TOPIC, lane), 1), 1) >= lowest for lane in range(len(LANES)))

    async def _begin(self, first: bool) -> None:
        """Places the consumer at the end of the log, and asks for a walk unless the log holds everything."""
        walking = not (first and self._embedded and await self.reachable())
        settled = await outbox.Outbox(self._store).settle() if walking and self._embedded else None
        async with self._sink.pool.acquire() as conn, conn.transaction():
            await conn.execute(SQL["begin"], self._sink.name, self._epoch, walking)
            if settled is not None:
                rows = [(self._sink.name, outbox.TOPIC, lane, settled + 1, self._epoch) for lane in range(len(LANES))]
                await conn.executemany(OFFSETS["put"], rows)
                renewable = not self._sink.every_version
                cursors = [(self._sink.name, lane, settled, renewable) for lane in range(len(LANES))]
                await self._store.execute(outbox.SQL["forget_cursor"], self._sink.name)
                await self._store.executemany(outbox.SQL["report_cursor"], cursors)

    async def _remove_left_behind(self, take: Take) -> bool:
        while True:
            rows = await self._sink.pool.fetch(ledger.SQL["left_behind"], self._sink.name, self._epoch, LIMITS[0])
            if not rows:
                return True
            if not await take(snapshot.batch([self._erased(row) for row in rows])):
                return False

    def _erased(self, row: Any) -> Event:
        """Under the epoch that is over: when the id is used again, version 1 of the present one is newer."""
        return Event(
            site=row["site"],
            type=row["type"],
            id=row["id"],
            version=row["version"],
            epoch=row["epoch"],
            seq=0,
            op="erased",
            time=clock.now(),
            patient=row["patient"],
            reason=UNDONE,
        )

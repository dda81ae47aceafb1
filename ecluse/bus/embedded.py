"""The embedded log: consumers read the outbox themselves.

Enters: positions of the consumer, one a lane. Leaves: batches of events, live before bulk. The lanes are the
partitions 0 and 1 of the topic `outbox`.
"""

from __future__ import annotations

import asyncio
from collections.abc import Mapping, Sequence
from typing import Any

from ecluse.bus.event import LANES, Event
from ecluse.bus.log import Batch, Claim, Partition, Record
from ecluse.bus.outbox import SQL, TOPIC, Tail
from ecluse.bus.pace import Pace
from ecluse.bus.wakeup import POLL_S, Notifier, Wakeup
from ecluse.core import clock
from ecluse.core.errors import Fenced, Unavailable

__all__ = ["PARTITIONS", "EmbeddedLog", "Notifier"]

REPORT_S = 1.0
PARTITIONS: tuple[Partition, ...] = tuple((TOPIC, lane) for lane in range(len(LANES)))


class EmbeddedLog:
    """One consumer's view of the outbox."""

    def __init__(self, pool: Any, name: str, resource_types: Sequence[str], *, renewable: bool = True) -> None:
        """pool: the store's database; name: the consumer, whose cursor keeps the outbox from being dropped; renewable:
        it can begin anew from the store, so that an outbox over its budget may leave it behind"""
        self._pool = pool
        self._name = name
        self._renewable = renewable
        self._tail = Tail(pool, resource_types)
        self._wakeup = Wakeup(pool)
        self._reported_at = 0.0
        self._pace = Pace()
        self._given, self._given_at = 0, 0.0
        self._opened = False

    async def open(self, claim: Claim) -> None:
        """Begins to read where `claim` says, at the first event when it says nothing.

        Raises: Unavailable (503) when that is dropped already: begin again, with a walk through the store
        """
        positions = await claim(PARTITIONS)
        self._tail.seek([positions.get(partition, 1) - 1 for partition in PARTITIONS])
        await self._report()
        lowest = (await self._pool.fetch(SQL["partitions"]))[0]["low"]
        if min(self._tail.at) + 1 < lowest:
            raise Unavailable("the outbox was dropped beyond this consumer's position")
        self._opened = True

    async def poll(self, max_events: int, max_bytes: int, timeout_s: float) -> Batch:
        """The next events, live ones first; empty when none came in time."""
        if self._given:
            self._pace.took(self._given, clock.monotonic() - self._given_at)
        deadline = clock.monotonic() + timeout_s
        while True:
            sent = await self._tail.read(max_events, max_bytes, self._pace.events)
            left_s = deadline - clock.monotonic()
            if sent or left_s <= 0:
                self._given = len(sent) if sent and sent[-1].event.lane == "bulk" else 0
                self._given_at = clock.monotonic()
                return self._batch([item.event for item in sent])
            await self._wakeup.wait(min(left_s, POLL_S))

    def holds(self, batch: Batch) -> bool:
        """True: the outbox is not shared out; a second process of the same consumer waits for its lock."""
        return True

    async def rest(self, delay_s: float) -> None:
        """Waits."""
        await asyncio.sleep(delay_s)

    async def commit(self, positions: Mapping[Partition, int]) -> None:
        """Reports the cursor to the store, at most once a second.

        Raises: Fenced when the outbox has left this consumer behind: begin again, with a walk through the store"""
        if self._opened and clock.monotonic() - self._reported_at >= REPORT_S:
            await self._report()

    async def close(self) -> None:
        """Ends the listening."""
        await self._wakeup.close()

    def _batch(self, events: Sequence[Event]) -> Batch:
        records = [Record(event, TOPIC, LANES.index(event.lane), event.seq) for event in events]
        return Batch(records, {part: at + 1 for part, at in zip(PARTITIONS, self._tail.at, strict=True)})

    async def _report(self) -> None:
        self._reported_at = clock.monotonic()
        rows = [(self._name, lane, at, self._renewable) for lane, at in enumerate(self._tail.at)]
        await self._pool.executemany(SQL["report_cursor"], rows)
        if await self._pool.fetchval(SQL["lost"], self._name):
            raise Fenced("the outbox, over its budget, has left this consumer behind")

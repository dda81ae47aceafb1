"""The embedded log: consumers read the outbox themselves.

Enters: positions of the consumer, one a lane. Leaves: batches of events, live before bulk. The lanes are the
partitions 0 and 1 of the topic `outbox`.
"""

from __future__ import annotations

import asyncio
from collections.abc import Mapping, Sequence
from typing import Any

from ecluse.bus.event import LANES
from ecluse.bus.log import Batch, Claim, Partition, Record
from ecluse.bus.outbox import SQL, TOPIC, Outbox
from ecluse.bus.wakeup import POLL_S, Notifier, Wakeup
from ecluse.core import clock

__all__ = ["PARTITIONS", "EmbeddedLog", "Notifier"]

REPORT_S = 1.0
PARTITIONS: tuple[Partition, ...] = tuple((TOPIC, lane) for lane in range(len(LANES)))


class EmbeddedLog:
    """One consumer's view of the outbox."""

    def __init__(self, pool: Any, name: str, resource_types: Sequence[str]) -> None:
        """pool: the store's database; name: the consumer, whose cursor keeps the outbox from being dropped."""
        self._pool = pool
        self._name = name
        self._outbox = Outbox(pool, resource_types)
        self._wakeup = Wakeup(pool)
        self._at = [0] * len(LANES)
        self._until = 0
        self._reported_at = 0.0

    async def open(self, claim: Claim) -> None:
        """Begins to read where `claim` says, at the first event when it says nothing."""
        positions = await claim(PARTITIONS)
        self._at = [positions.get(partition, 1) - 1 for partition in PARTITIONS]
        self._until = 0
        self._outbox.forget()
        await self._report()

    async def poll(self, max_events: int, max_bytes: int, timeout_s: float) -> Batch:
        """The next events, live ones first; empty when none came in time."""
        deadline = clock.monotonic() + timeout_s
        while True:
            records = await self._read(max_events, max_bytes)
            left_s = deadline - clock.monotonic()
            if records or left_s <= 0:
                return Batch(records, {part: at + 1 for part, at in zip(PARTITIONS, self._at, strict=True)})
            await self._wakeup.wait(min(left_s, POLL_S))

    def holds(self, batch: Batch) -> bool:
        """True: the outbox is not shared out; a second process of the same consumer waits for its lock."""
        return True

    async def rest(self, delay_s: float) -> None:
        """Waits."""
        await asyncio.sleep(delay_s)

    async def commit(self, positions: Mapping[Partition, int]) -> None:
        """Reports the cursor to the store, at most once a second."""
        if clock.monotonic() - self._reported_at >= REPORT_S:
            await self._report()

    async def close(self) -> None:
        """Reports the cursor a last time."""
        await self._report()
        await self._wakeup.close()

    async def _read(self, max_events: int, max_bytes: int) -> list[Record]:
        try:
            # A backlog of bulk does not keep the live lane from looking for more.
            if self._at[0] >= self._until:
                self._until = await self._outbox.settle() or self._until
            return await self._lanes(max_events, max_bytes)
        except BaseException:
            self._outbox.forget()
            raise

    async def _lanes(self, max_events: int, max_bytes: int) -> list[Record]:
        records: list[Record] = []
        for lane, at in enumerate(self._at):
            if at < self._until and max_events > 0 and max_bytes > 0:
                read = await self._outbox.read(at, self._until, lane, max_events, max_bytes)
                self._at[lane] = read.position
                records += [Record(sent.event, TOPIC, lane, sent.event.seq) for sent in read.sent]
                max_events -= len(read.sent)
                max_bytes -= sum(len(sent.event.body or b"") for sent in read.sent)
        return records

    async def _report(self) -> None:
        self._reported_at = clock.monotonic()
        rows = [(self._name, lane, at) for lane, at in enumerate(self._at)]
        await self._pool.executemany(SQL["report_cursor"], rows)

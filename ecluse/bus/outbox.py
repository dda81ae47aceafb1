"""Reading the outbox in commit-safe order.

Enters: a number already read. Leaves: the events after it, none skipped and none out of order. Numbers are drawn
before they are committed, so the highest number says nothing about the ones below it. What holds is this:

    1  m = the last number drawn
    2  in a later statement, the transactions that hold RowExclusiveLock on the outbox: whoever drew a number up to m
       and has not ended is among them, because the lock is taken before the number is drawn and kept until the end
    3  wait until those have ended; new ones draw numbers above m and need not be waited for
    4  read up to m

A position is only ever the number of a row that was read, never m itself: after a crash of the database numbers that
were drawn and not committed are drawn again.
"""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from typing import Any, NamedTuple

from ecluse.bus.event import LANES, OPS, Event
from ecluse.core.db import queries
from ecluse.core.fhir import types

SQL = queries.load(__package__, "outbox.sql")
TOPIC = "outbox"
WRITER_POLL_S = 0.002
LONGEST_WRITER_POLL_S = 0.02


class Sent(NamedTuple):
    """An event with what the relay has to know beside it.

    current: the event is about the store's present version; former_patient: the patient of the version before
    """

    event: Event
    current: bool
    former_patient: str | None


class Slice(NamedTuple):
    """Events in order, and the number up to which the outbox is read."""

    sent: list[Sent]
    position: int


class Outbox:
    """The outbox as one reader sees it; keeps nothing but the last settled number."""

    def __init__(
        self, pool: Any, resource_types: Sequence[str] | None = None, sites: Sequence[int] | None = None
    ) -> None:
        """resource_types: the types to read, None for all; sites: the numbers of those to read, None for all"""
        self._pool = pool
        self._sites = sites
        self._types = None if resource_types is None else sorted(types.number_of[name] for name in resource_types)
        self._settled = -1

    async def settle(self) -> int | None:
        """The highest row below which nothing can appear any more; None when that is what the last call found."""
        drawn: int = await self._pool.fetchval(SQL["last_drawn"])
        if drawn == self._settled:
            return None
        self._settled = -1
        await self._writers_ended()
        last: int | None = await self._pool.fetchval(SQL["last_row"], drawn)
        self._settled = drawn
        return last or 0

    def forget(self) -> None:
        """Makes the next call of `settle` look again, after an error in between."""
        self._settled = -1

    async def _writers_ended(self) -> None:
        waited_for = {row[0] for row in await self._pool.fetch(SQL["writers"])}
        delay_s = WRITER_POLL_S
        while waited_for:
            await asyncio.sleep(delay_s)
            delay_s = min(delay_s * 2, LONGEST_WRITER_POLL_S)
            waited_for &= {row[0] for row in await self._pool.fetch(SQL["writers"])}

    async def read(self, after: int, until: int, lane: int | None, max_events: int, max_bytes: int) -> Slice:
        """Events with after < seq <= until, at most max_events, cut after the one that reaches max_bytes.

        until: a number that `settle` returned; lane: None for all
        """
        rows = await self._pool.fetch(SQL["read"], after, until, lane, self._types, max_events, max_bytes, self._sites)
        if rows and (len(rows) == max_events or sum(len(row["body"] or b"") for row in rows) >= max_bytes):
            until = rows[-1]["seq"]
        return Slice([_sent(row) for row in rows if _readable(row)], max(after, until))


class Tail:
    """A reader's place in every lane."""

    def __init__(self, pool: Any, resource_types: Sequence[str] | None = None) -> None:
        """resource_types: the types to read, None for all."""
        self._outbox = Outbox(pool, resource_types)
        self._until = 0
        self.at = [0] * len(LANES)

    @property
    def behind(self) -> bool:
        """Whether a lane holds more than was read, as far as the last look saw."""
        return min(self.at) < self._until

    def seek(self, at: Sequence[int]) -> None:
        """Goes on after these numbers, one a lane."""
        self.at = list(at)
        self._until = 0
        self._outbox.forget()

    async def read(self, max_events: int, max_bytes: int, most_bulk: int | None = None) -> list[Sent]:
        """The next events, live before bulk; `at` is then the number up to which each lane is read.

        most_bulk: of the lane of history, None for as many as of the other"""
        before = list(self.at)
        try:
            # A backlog of bulk does not keep the live lane from looking for more.
            if self.at[0] >= self._until:
                self._until = await self._outbox.settle() or self._until
            return await self._lanes((max_events, max_events if most_bulk is None else most_bulk), max_bytes)
        except BaseException:
            # What one lane gave before the other failed was handed to nobody: it is read again.
            self.at = before
            self._outbox.forget()
            raise

    async def _lanes(self, most: Sequence[int], max_bytes: int) -> list[Sent]:
        sent: list[Sent] = []
        for lane, at in enumerate(self.at):
            count = min(most[lane], most[0] - len(sent))
            if at < self._until and count > 0 and max_bytes > 0:
                read = await self._outbox.read(at, self._until, lane, count, max_bytes)
                self.at[lane] = read.position
                sent += read.sent
                max_bytes -= sum(len(item.event.body or b"") for item in read.sent)
        return sent


def _readable(row: Any) -> bool:
    # An erasure takes the bodies of all versions and has an event of its own, further on.
    return row["body"] is not None or OPS[row["op"]] in ("deleted", "erased")


def _sent(row: Any) -> Sent:
    together = (row["entries"] or 1) > 1
    event = Event(
        site=row["site"],
        type=types.name_of[row["type"]],
        id=row["id"],
        version=row["version"],
        epoch=row["epoch"] or 1,
        seq=row["seq"],
        op=OPS[row["op"]],
        time=row["updated"],
        patient=row["patient"],
        body=row["body"],
        bundle=str(row["write_id"]) if together else "",
        n=row["entry"] + 1 if together else 1,
        m=row["entries"] if together else 1,
        lane=LANES[row["lane"]],
        sender=row["sender"] or "",
        request_id=row["request_id"] or "",
        traceparent=row["traceparent"] or "",
        reason=row["reason"] or "",
        survivor=row["survivor"],
        merge=row["merge"] or 0,
    )
    return Sent(event, row["version"] == row["current_version"], row["former_patient"])

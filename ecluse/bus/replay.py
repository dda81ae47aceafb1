"""Events once more, from a position on, for those who read no topics.

Enters: a position that an answer gave. Leaves: pages of events in the order of the store, none skipped and none twice,
whatever is being written meanwhile. After a restore the position of an event that it undid stands for the last event
that it kept: what came instead is told, under the next epoch.
"""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from typing import Any, NamedTuple

from ecluse.bus import epoch
from ecluse.bus.event import Event
from ecluse.bus.outbox import SQL, Outbox
from ecluse.bus.position import Position
from ecluse.core.errors import BadRequest, Gone, Unavailable

MOST_BYTES = 8 << 20
PATIENCE_S = 10.0
"""How long a page waits for a transaction that has drawn numbers and not ended."""
NOT_KEPT = "Events after this position are no longer kept. Ask for the present position, export, and go on from there."


class Page(NamedTuple):
    """Events in order. next: the position to go on after; more: whether there are more by now"""

    events: list[Event]
    next: Position
    more: bool


class Replay:
    """The events of these types and sites, read again by one reader."""

    def __init__(
        self, pool: Any, resource_types: Sequence[str] | None = None, sites: Sequence[int] | None = None
    ) -> None:
        """resource_types: names, None for all; sites: numbers, None for all"""
        self._pool = pool
        self._outbox = Outbox(pool, resource_types, sites)

    async def end(self) -> int:
        """The number up to which events can be read now.

        Raises: Unavailable (503) when a long write holds the readers back"""
        try:
            async with asyncio.timeout(PATIENCE_S):
                return await Outbox(self._pool).settle() or 0
        except TimeoutError:
            raise Unavailable("A long write holds the readers of events back; ask again.") from None

    async def present(self) -> Position:
        """The position of the last event.

        Raises: what `end` raises"""
        until = await self.end()
        return (await epoch.lives(self._pool)).position(until)

    async def number(self, since: Position) -> int:
        """The number of a position, or that of the last event before a restore that undid it.

        Raises: BadRequest (400) for an event that there is not yet, with the last one that there is"""
        lives = await epoch.lives(self._pool)
        drawn: int = await self._pool.fetchval(SQL["last_drawn"])
        # The number drawn last and not the last row: those that are kept no longer were events too.
        if since.epoch > lives.present or (since.epoch == lives.present and since.seq > drawn):
            last: int | None = await self._pool.fetchval(SQL["last_row"], drawn)
            raise BadRequest(f"There is no event {since} yet; the last one is {lives.position(last or drawn)}.")
        return lives.kept(since)

    async def page(self, since: Position | None, count: int) -> Page:
        """The events after a position, so many at most; without one no event, and the position of the last.

        Raises: what `number`, `after` and `end` raise"""
        if since is None:
            return Page([], await self.present(), more=False)
        await self.number(since)
        return await self.after(since, await self.end(), count)

    async def check(self, since: Position) -> None:
        """Nothing, when the events after a position can be read.

        Raises: what `number` and `after` raise"""
        await self.number(since)
        await self.after(since, since.seq, 1)

    async def after(self, since: Position, until: int, count: int, max_bytes: int = MOST_BYTES) -> Page:
        """The events after a position, so many at most. until: a number that `end` or `Feed.beyond` returned

        Raises: Gone (410) when events after it are no longer kept
        """
        lives = await epoch.lives(self._pool)
        after = lives.kept(since)
        read = await self._outbox.read(after, until, None, count, max_bytes)
        # Asked after the reading: what is dropped beside it would be missing from the page.
        lowest = (await self._pool.fetch(SQL["partitions"]))[0]["low"]
        if after + 1 < lowest:
            raise Gone(NOT_KEPT, diagnostics=f"since {since}; the first that is kept is {lives.position(lowest)}")
        return Page([sent.event for sent in read.sent], lives.position(read.position), more=read.position < until)

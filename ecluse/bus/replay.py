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


class Page(NamedTuple):
    """Events in order. next: the position to go on after; more: whether there are more by now"""

    events: list[Event]
    next: Position
    more: bool


async def page(
    pool: Any,
    since: Position | None,
    count: int,
    resource_types: Sequence[str] | None = None,
    sites: Sequence[int] | None = None,
) -> Page:
    """The events after a position, so many at most; without one no event, and the position of the last.

    resource_types: names, None for all; sites: numbers, None for all
    Raises: BadRequest (400) for a position of an epoch to come, Gone (410) when events after it are no longer kept,
    Unavailable (503) when a long write holds the readers back"""
    outbox = Outbox(pool, resource_types, sites)
    until = await _settled(outbox)
    lives = await epoch.lives(pool)
    if since is None:
        return Page([], lives.position(until), more=False)
    if since.epoch > lives.present:
        raise BadRequest(f"The present epoch is {lives.present}.", diagnostics=f"found {since}")
    after = lives.kept(since)
    lowest = (await pool.fetch(SQL["partitions"]))[0]["low"]
    if after + 1 < lowest:
        text = (
            "Events after this position are no longer kept. Ask for the present position, export, and go on from there."
        )
        raise Gone(text, diagnostics=f"since {since}; the first that is kept is {lives.position(lowest)}")
    read = await outbox.read(after, until, None, count, MOST_BYTES)
    return Page([sent.event for sent in read.sent], lives.position(read.position), more=read.position < until)


async def _settled(outbox: Outbox) -> int:
    try:
        async with asyncio.timeout(PATIENCE_S):
            return await outbox.settle() or 0
    except TimeoutError:
        raise Unavailable("A long write holds the readers of events back; ask again.") from None

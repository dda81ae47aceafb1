"""Whether consumers have every event up to one of them, and waiting for that.

Enters: a position of the store and the names of consumers. Leaves: nothing once all of them have written, refused or
parked what stands up to there; or who is how far behind. On Kafka the relay has to pass the position first; the ends of
the topics at that moment are then what a consumer has to reach.
"""

from __future__ import annotations

import asyncio
import difflib
from collections.abc import Mapping, Sequence
from typing import NamedTuple

from consumers import registry
from consumers.lag import SQL
from consumers.offsets import stored
from consumers.sink import Sink
from ecluse.bus import outbox
from ecluse.bus.lease import SQL as RELAY
from ecluse.bus.log import Partition
from ecluse.bus.position import Position
from ecluse.bus.replay import Replay
from ecluse.core import clock
from ecluse.core.db.databases import Databases
from ecluse.core.errors import BadRequest, Unavailable
from ecluse.core.fhir import types
from ecluse.core.settings import Settings

FIRST_LOOK_S, LONGEST_LOOK_S = 0.02, 0.2


class Lacking(NamedTuple):
    """What a consumer has not yet. at: `the relay` when it waits for that one, else itself"""

    consumer: str
    events: int
    snapshot: bool = False
    at: str = ""

    def __str__(self) -> str:
        if self.snapshot:
            return f"{self.consumer} still reads a snapshot of the store"
        return f"{self.consumer} lacks {self.events} events" + (f", which {self.at} has not sent" if self.at else "")


async def reach(
    settings: Settings, databases: Databases, names: Sequence[str], since: Position | None, timeout_s: float
) -> None:
    """Returns when these consumers have everything up to a position.

    names: all consumers when there is none; since: what is stored now when None
    Raises: BadRequest (400) for a consumer or position that there is not, ProjectError when it is about all consumers
    and one cannot be built, Unavailable (503) when one is not there in
    time or the broker is away"""
    deadline = clock.monotonic() + timeout_s
    if not names:
        registry.check(settings)
    sinks = named(registry.standing(settings, databases)[0], names)
    seq = await _number(databases, since)
    waiting = [_Reaching(settings, databases, sink, seq) for sink in sinks]
    look_s = FIRST_LOOK_S
    while lacking := [found for each in waiting if (found := await each.lacking()) is not None]:
        waiting = [each for each in waiting if each.name in {found.consumer for found in lacking}]
        if clock.monotonic() >= deadline:
            raise Unavailable(f"Not caught up after {timeout_s:g} s: {'; '.join(map(str, lacking))}.")
        await asyncio.sleep(look_s)
        look_s = min(2 * look_s, LONGEST_LOOK_S)


def named(sinks: Mapping[str, Sink], names: Sequence[str]) -> list[Sink]:
    """The sinks of these names, all for none.

    Raises: BadRequest (400) with the nearest name for one that there is not"""
    for name in names:
        if name not in sinks:
            near = difflib.get_close_matches(name, sinks, 1)
            advice = f"Did you mean {near[0]}? " if near else ""
            raise BadRequest(f"No consumer is called {name[:80]!r}. {advice}There are {', '.join(sinks)}.")
    return [sinks[name] for name in dict.fromkeys(names)] or list(sinks.values())


async def _number(databases: Databases, since: Position | None) -> int:
    """The number up to which consumers have to come."""
    replay = Replay(databases.store)
    end = await replay.end()
    return end if since is None else await replay.number(since)


class _Reaching:
    """One consumer on its way to a number of the outbox."""

    def __init__(self, settings: Settings, databases: Databases, sink: Sink, seq: int) -> None:
        self.name = sink.name
        self._settings = settings
        self._databases = databases
        self._sink = sink
        self._seq = seq
        self._ends: dict[Partition, int] | None = None

    async def lacking(self) -> Lacking | None:
        """What it lacks, None when that is nothing."""
        if await self._sink.pool.fetchval(SQL["walking"], self.name):
            return Lacking(self.name, 0, snapshot=True)
        positions = await stored(self._sink.pool, self.name)
        if self._settings.bus == "kafka":
            return await self._on_topics(positions)
        return self._told(await self._in_outbox([positions.get((outbox.TOPIC, lane), 1) for lane in (0, 1)]))

    async def _on_topics(self, positions: Mapping[Partition, int]) -> Lacking | None:
        if self._ends is None:
            at = {row["lane"]: row["seq"] + 1 for row in await self._databases.store.fetch(RELAY["cursor"])}
            if unsent := await self._in_outbox([at.get(lane, 1) for lane in (0, 1)]):
                return Lacking(self.name, unsent, at="the relay")
            self._ends = await self._unread(positions)
        return self._told(sum(max(0, end - positions.get(place, 0)) for place, end in self._ends.items()))

    async def _unread(self, positions: Mapping[Partition, int]) -> dict[Partition, int]:
        from ecluse.bus.ends import unread_ends

        return await unread_ends(self._settings, self._databases.store, sorted(self._sink.types), positions)

    async def _in_outbox(self, following: Sequence[int]) -> int:
        """The events from these numbers on, live and bulk, up to the one to be reached."""
        numbers = [types.number_of[name] for name in sorted(self._sink.types)]
        count: int = await self._databases.store.fetchval(SQL["lacking"], numbers, *following, self._seq)
        return count

    def _told(self, events: int) -> Lacking | None:
        return Lacking(self.name, events) if events else None

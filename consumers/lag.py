"""How far a consumer is behind the store.

Enters: the positions that its database holds, and the ends of its log. Leaves: the events it has not written yet, and
the age of the oldest, of all and of each partition. On Kafka an event waits for the relay first, then for the consumer:
both count, and what waits for the relay is in no partition yet. The partitions of the embedded log are the lanes.
"""

from __future__ import annotations

from typing import NamedTuple

from consumers.offsets import stored
from consumers.sink import Sink
from ecluse.bus import flow, outbox
from ecluse.bus.backlog import Waiting, together, waiting
from ecluse.bus.event import LANES
from ecluse.bus.log import Partition
from ecluse.core.db import queries
from ecluse.core.db.databases import Databases
from ecluse.core.settings import Settings

SQL = queries.load(__package__, "lag.sql")


class Part(NamedTuple):
    """The partitions of one number, of all topics that the consumer reads; they are read by one process."""

    partition: int
    events: int
    seconds: float


class Lag(NamedTuple):
    """What a consumer has not written yet. events: their number, estimated when there are very many; seconds: age of
    the oldest, 0.0 when there is none"""

    consumer: str
    events: int
    seconds: float
    parts: tuple[Part, ...] = ()

    @property
    def caught_up(self) -> bool:
        """True when nothing is missing."""
        return self.events == 0


async def lag(settings: Settings, databases: Databases, sink: Sink) -> Lag:
    """The lag of one consumer, whether it runs or not.

    Raises: Unavailable (503) when the broker is away
    """
    positions = await stored(sink.pool, sink.name)
    if settings.bus == "kafka":
        parts = await _unread(settings, databases, sink, positions)
        elsewhere = [await flow.unsent(databases.store, sink.types)]
    else:
        at = [positions.get((outbox.TOPIC, lane), 1) for lane in range(len(LANES))]
        parts, elsewhere = dict(enumerate(await waiting(databases.store, sink.types, at))), []
    if await sink.pool.fetchval(SQL["walking"], sink.name):
        elsewhere.append(Waiting(1, None))
    whole = together([*parts.values(), *elsewhere])
    told = (Part(number, part.events, part.seconds) for number, part in sorted(parts.items()))
    return Lag(sink.name, whole.events, whole.seconds, tuple(told))


async def _unread(
    settings: Settings, databases: Databases, sink: Sink, positions: dict[Partition, int]
) -> dict[int, Waiting]:
    """By the number of the partition."""
    from ecluse.bus.broker import layout
    from ecluse.bus.ends import unread

    topics = await layout(settings, databases.store)
    found = await unread(settings, databases.store, sorted(sink.types), positions)
    return {
        number: together(part for (_, own), part in found.items() if own == number)
        for number in range(topics.partitions)
    }

"""How far a consumer is behind the store.

Enters: the positions that its database holds, and the ends of its log. Leaves: the events it has not written yet, and
the age of the oldest. On Kafka an event waits for the relay first, then for the consumer: both count.
"""

from __future__ import annotations

from datetime import datetime
from typing import Any, NamedTuple

from consumers.offsets import SQL as OFFSETS
from consumers.sink import Sink
from ecluse.bus import outbox
from ecluse.bus.lease import SQL as RELAY
from ecluse.bus.log import Partition
from ecluse.core import clock
from ecluse.core.db import queries
from ecluse.core.db.databases import Databases
from ecluse.core.fhir import types
from ecluse.core.settings import Settings

SQL = queries.load(__package__, "lag.sql")


class Lag(NamedTuple):
    """What a consumer has not written yet. events: their number; seconds: age of the oldest, 0.0 when there is none."""

    consumer: str
    events: int
    seconds: float

    @property
    def caught_up(self) -> bool:
        """True when nothing is missing."""
        return self.events == 0


async def lag(settings: Settings, databases: Databases, sink: Sink) -> Lag:
    """The lag of one consumer, whether it runs or not.

    Raises: Unavailable (503) when the broker is away
    """
    rows = await sink.pool.fetch(OFFSETS["stored"], sink.name)
    positions = {(row["topic"], row["partition"]): row["next_offset"] for row in rows}
    if settings.bus == "kafka":
        waiting = [await _unsent(databases.store, sink), await _unread(settings, databases, sink, positions)]
    else:
        after = [positions.get((outbox.TOPIC, lane), 1) for lane in (0, 1)]
        waiting = [await _outbox(databases.store, sink, after)]
    if await sink.pool.fetchval(SQL["walking"], sink.name):
        waiting.append((1, None))
    oldest = min((moment for _, moment in waiting if moment is not None), default=None)
    return Lag(sink.name, sum(events for events, _ in waiting), _age(oldest))


async def _outbox(store: Any, sink: Sink, after: list[int]) -> tuple[int, datetime | None]:
    row = await store.fetchrow(SQL["outbox"], [types.number_of[name] for name in sorted(sink.types)], *after)
    return row["events"], row["oldest"]


async def _unsent(store: Any, sink: Sink) -> tuple[int, datetime | None]:
    at = {row["lane"]: row["seq"] + 1 for row in await store.fetch(RELAY["cursor"])}
    return await _outbox(store, sink, [at.get(lane, 1) for lane in (0, 1)])


async def _unread(
    settings: Settings, databases: Databases, sink: Sink, positions: dict[Partition, int]
) -> tuple[int, datetime | None]:
    from ecluse.bus.ends import unread

    return await unread(settings, databases.store, sorted(sink.types), positions)


def _age(moment: datetime | None) -> float:
    return max(0.0, (clock.now() - moment).total_seconds()) if moment else 0.0

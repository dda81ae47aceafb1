"""How much of the outbox a reader has not read, without counting all of it.

Enters: the numbers with which a reader goes on. Leaves: how many events wait in each lane, and since when. After a
night without a reader there are millions: so many rows are looked at, and what lies behind is taken to be like them.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from datetime import datetime
from typing import Any, NamedTuple

from ecluse.bus.event import LANES
from ecluse.core import clock
from ecluse.core.db import queries
from ecluse.core.fhir import types

SQL = queries.load(__package__, "backlog.sql")
MOST_ROWS = 10_000
"""A few milliseconds; up to here the number is exact."""


class Waiting(NamedTuple):
    """events: 0 only when none waits; oldest: when its version was stored, None when none waits or that is not known"""

    events: int
    oldest: datetime | None

    @property
    def seconds(self) -> float:
        """How long the oldest has waited."""
        return max(0.0, (clock.now() - self.oldest).total_seconds()) if self.oldest else 0.0


NOTHING = Waiting(0, None)


def together(several: Iterable[Waiting]) -> Waiting:
    """All of them as one."""
    found = list(several)
    oldest = min((one.oldest for one in found if one.oldest is not None), default=None)
    return Waiting(sum(one.events for one in found), oldest)


async def waiting(conn: Any, resource_types: Iterable[str] | None, at: Sequence[int]) -> list[Waiting]:
    """What waits in each lane.

    conn: a connection or pool of the store; resource_types: None for all; at: the next number of each lane"""
    kinds = None if resource_types is None else sorted(types.number_of[name] for name in resource_types)
    rows = [await conn.fetchrow(SQL["waiting"], kinds, lane, at[lane], MOST_ROWS) for lane in range(len(LANES))]
    return [_estimate(*row) for row in rows]


def _estimate(rows: int, events: int, beyond: int | None, oldest: datetime | None) -> Waiting:
    """beyond: numbers behind the rows that were looked at"""
    if rows < MOST_ROWS or not beyond:
        return Waiting(events, oldest) if events else NOTHING
    # A rare type may wait behind the rows: the reader is not near, and has waited no longer than since the last row.
    return Waiting(max(1, events + round(beyond * events / rows)), oldest)

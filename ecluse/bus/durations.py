"""How long requests and stages take, in buckets that several processes add to and that outlive them.

Enters: durations, as they are measured. Leaves: rows of bus.duration, added to once a second, so that whoever is killed
takes a second's counts along; and all rows, for the scrape.
"""

from __future__ import annotations

from bisect import bisect_left
from collections import Counter
from collections.abc import Iterable
from datetime import datetime
from math import inf
from typing import Any, NamedTuple

from ecluse.bus.event import Event
from ecluse.core import clock
from ecluse.core.db import queries

SQL = queries.load(__package__, "durations.sql")
BOUNDS_S = (0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 30.0, 60.0, 300.0, 1800.0, inf)
EVERY_S = 1.0
REQUEST, STAGE = "request", "stage"
"""What is measured: a request by interaction and status, an event by consumer and the stage it has come to."""


class Bucket(NamedTuple):
    """found: durations up to upper_s and above the next lower bound; total_s: their sum"""

    measure: str
    subject: str
    detail: str
    upper_s: float
    found: int
    total_s: float


class Durations:
    """What one process has measured and not stored yet."""

    def __init__(self, measure: str) -> None:
        self._measure = measure
        self._found: dict[tuple[str, str, float], tuple[int, float]] = {}
        self._store_at = 0.0

    def add(self, subject: str, detail: str, seconds: float, times: int = 1) -> None:
        """One more, or several that took as long."""
        key = subject, detail, BOUNDS_S[bisect_left(BOUNDS_S, seconds)]
        count, total_s = self._found.get(key, (0, 0.0))
        self._found[key] = count + times, total_s + seconds * times

    async def store(self, pool: Any, *, now: bool = False) -> None:
        """Stores what was measured, at most once a second unless `now`; what cannot be stored is kept for later."""
        if not self._found or (clock.monotonic() < self._store_at and not now):
            return
        taken, self._found = self._found, {}
        rows = [(*key, *value) for key, value in taken.items()]
        try:
            await pool.execute(SQL["add"], self._measure, *(list(column) for column in zip(*rows, strict=True)))
        except BaseException:
            self._again(taken)
            raise
        self._store_at = clock.monotonic() + EVERY_S

    def _again(self, taken: dict[tuple[str, str, float], tuple[int, float]]) -> None:
        for key, (count, total_s) in taken.items():
            more, more_s = self._found.get(key, (0, 0.0))
            self._found[key] = count + more, total_s + more_s


class Stages:
    """How old events are when they come to a stage of one part: since their version was stored."""

    def __init__(self, part: str) -> None:
        """part: the consumer, "" for the relay"""
        self._part = part
        self._durations = Durations(STAGE)

    def reached(self, stage: str, events: Iterable[Event], at: datetime) -> None:
        """They came there at this moment. What was sent again, or is history, is old for other reasons."""
        # What one request has written was stored at one moment.
        times = Counter(each.time for each in events if each.lane == "live" and not each.reason and each.op != "moved")
        for time, found in times.items():
            self._durations.add(self._part, stage, max(0.0, (at - time).total_seconds()), found)

    async def store(self, pool: Any) -> None:
        """As `Durations.store`."""
        await self._durations.store(pool)


async def buckets(pools: Iterable[Any]) -> list[Bucket]:
    """All that was stored in these databases."""
    return [Bucket(*row) for pool in pools for row in await pool.fetch(SQL["all"])]

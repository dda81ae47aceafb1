"""How fast a backlog is worked off, at which cost, and whether memory grows meanwhile.

Enters: a running part, and a look at how far it is. Leaves: events a second from its first event to its last one.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import NamedTuple

from bench.bus.part import Part
from bench.report import Figure

LOOK_EVERY_S = 0.2
STILL_S = 15.0
"""A part whose position stands for so long has nothing left."""
STARTS_WITHIN_S = 90
WARM = 0.2
"""Memory is compared with what it was after this share: pools are filled, code is loaded."""
Position = Callable[[], Awaitable[int]]


class Sample(NamedTuple):
    """What was seen at one moment. at: monotonic; position: as the part's database tells it"""

    at: float
    position: int
    cpu_s: float
    rss_mb: float


@dataclass(frozen=True, slots=True)
class Drain:
    """What came of it. growth_mb: of memory, after the first fifth; peak_mb: the most that was seen"""

    events: int
    seconds: float
    cpu_ms: float
    growth_mb: float
    peak_mb: float

    @property
    def rate(self) -> int:
        """Events a second."""
        return round(self.events / self.seconds)

    @property
    def note(self) -> str:
        """What the figure was made of."""
        return f"{self.events} in {self.seconds:.1f} s, {self.cpu_ms} ms CPU an event"

    def memory(self, name: str, most_mb: float) -> Figure:
        """The growth beside its target."""
        note = f"over {self.events} events, the first fifth left out; at most {self.peak_mb:.0f} MB"
        return Figure(f"memory of {name}, growth", round(self.growth_mb, 1), "MB", most_mb, note=note)


async def watch(part: Part, position: Position, *, enough: int | None = None, longest_s: float = 600) -> Drain:
    """Follows the part until nothing is left, or until the position `enough`, or for so many seconds.

    The events are those between the first look that saw progress and the last one."""
    samples = [await _first(part, position)]
    began = samples[0].at
    while time.monotonic() - began < longest_s:
        await asyncio.sleep(LOOK_EVERY_S)
        sample = await _look(part, position)
        if sample.position > samples[-1].position:
            samples.append(sample)
        elif sample.at - samples[-1].at > STILL_S:
            break
        if enough is not None and sample.position >= enough:
            break
    return _drain(samples)


async def _first(part: Part, position: Position) -> Sample:
    """The first look that sees another position than the one it began with."""
    before, deadline = await position(), time.monotonic() + STARTS_WITHIN_S
    while time.monotonic() < deadline:
        sample = await _look(part, position)
        if sample.position > before:
            return sample
        await asyncio.sleep(LOOK_EVERY_S / 4)
    raise RuntimeError(f"nothing was read within {STARTS_WITHIN_S} s{', the process has ended' if part.ended else ''}")


async def _look(part: Part, position: Position) -> Sample:
    return Sample(time.monotonic(), await position(), part.cpu_s, part.rss_mb)


def _drain(samples: list[Sample]) -> Drain:
    first, last = samples[0], samples[-1]
    events, seconds = last.position - first.position, last.at - first.at
    warm = next(one for one in samples if one.position >= first.position + WARM * events)
    cpu_ms = round(1000 * (last.cpu_s - first.cpu_s) / max(events, 1), 3)
    return Drain(events, max(seconds, 0.001), cpu_ms, last.rss_mb - warm.rss_mb, max(one.rss_mb for one in samples))

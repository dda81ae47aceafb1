"""Time and identity, the only place that asks the machine for either.

Enters: nothing. Leaves: aware UTC instants and time-ordered ids. Tests freeze `now` by replacing `_clock`.
"""

from __future__ import annotations

import os
import time
from collections.abc import Callable
from datetime import UTC, datetime
from functools import lru_cache

_clock: Callable[[], datetime] = lambda: datetime.now(UTC)  # noqa: E731


def now() -> datetime:
    """The present instant, aware UTC, cut to milliseconds because FHIR's `instant` is written with three digits."""
    instant = _clock()
    return instant.replace(microsecond=instant.microsecond // 1000 * 1000)


def monotonic() -> float:
    """Seconds on a clock that never goes back; for durations only."""
    return time.monotonic()


def new_id() -> str:
    """A UUIDv7 as text: ids made one after another sort one after another, so b-trees grow at their right edge.

    Spec: https://www.rfc-editor.org/rfc/rfc9562#name-uuid-version-7
    """
    milliseconds = f"{time.time_ns() // 1_000_000:012x}"
    chance = os.urandom(10).hex()
    variant = "89ab"[int(chance[0], 16) & 3]
    return f"{milliseconds[:8]}-{milliseconds[8:]}-7{chance[1:4]}-{variant}{chance[4:7]}-{chance[7:19]}"


@lru_cache(maxsize=64)
def instant_text(instant: datetime) -> str:
    """FHIR `instant` of an aware UTC datetime: `2026-11-24T10:03:21.000Z`."""
    return instant.isoformat(timespec="milliseconds").removesuffix("+00:00") + "Z"

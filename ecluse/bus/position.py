"""A place in the order of all events: `1.4711`, epoch and number.

Enters: text that a client sends back. Leaves: a value that compares as the events came about. The epoch stands first: a
restore takes numbers back, which are then given again.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from typing import NamedTuple

from ecluse.core.errors import BadRequest

_TEXT = re.compile(r"([1-9][0-9]{0,8})\.(0|[1-9][0-9]{0,17})")


class Position(NamedTuple):
    """The event with this number, in this life of the database; number 0 stands before the first event."""

    epoch: int
    seq: int

    def __str__(self) -> str:
        return f"{self.epoch}.{self.seq}"


def latest(positions: Iterable[Position | None]) -> Position | None:
    """The last of those that there are, None when there are none."""
    return max((one for one in positions if one is not None), default=None)


def position(text: str) -> Position:
    """The position that a text names.

    Raises: BadRequest (400) when it names none"""
    found = _TEXT.fullmatch(text)
    if found is None:
        advice = "Write epoch and number of an event, as X-Ecluse-Event and next give them, like 1.4711."
        raise BadRequest(advice, diagnostics=f"found {text[:80]!r}")
    return Position(int(found[1]), int(found[2]))

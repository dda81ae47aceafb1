"""A place in the order of all events: `1.4711`, epoch and number.

Enters: nothing. Leaves: a value that compares as the events came about. The epoch stands first: a restore takes numbers
back, which are then given again.
"""

from __future__ import annotations

from typing import NamedTuple


class Position(NamedTuple):
    """The event with this number, in this life of the database."""

    epoch: int
    seq: int

    def __str__(self) -> str:
        return f"{self.epoch}.{self.seq}"

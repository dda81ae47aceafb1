"""Chance that is the same everywhere: every draw comes from the seed alone.

Enters: words that name the stream ("7/patient/12"). Leaves: numbers, picks, UUIDs. Only `Random.random()` is used,
whose sequence Python keeps from version to version; no other method of it, no clock, no environment.
"""

from __future__ import annotations

import uuid
from collections.abc import Sequence
from random import Random
from typing import TypeVar

T = TypeVar("T")
_NAMESPACE = uuid.UUID("5f0c1a3e-7b1d-5e0a-9a53-6d1f0f2a9c11")


class Chance:
    """A stream of draws named by its words."""

    def __init__(self, *words: object) -> None:
        self._name = "/".join(map(str, words))
        self._random = Random(self._name).random  # noqa: S311
        self._ids = 0

    def uniform(self, low: float, high: float) -> float:
        """A number in [low, high)."""
        return low + (high - low) * self._random()

    def integer(self, low: int, high: int) -> int:
        """A whole number from low to high, both included."""
        return low + int(self._random() * (high - low + 1))

    def normal(self, mean: float, deviation: float) -> float:
        """Nearly a normal draw: the sum of twelve uniform ones, never further than six deviations away."""
        return mean + deviation * (sum(self._random() for _ in range(12)) - 6)

    def happens(self, probability: float) -> bool:
        """True in that share of the draws."""
        return self._random() < probability

    def pick(self, options: Sequence[T]) -> T:
        """One of the options."""
        return options[int(self._random() * len(options))]

    def shuffled(self, options: Sequence[T]) -> list[T]:
        """All options in some order."""
        return [options[index] for _, index in sorted((self._random(), index) for index in range(len(options)))]

    def digits(self, count: int) -> str:
        """That many digits."""
        return "".join(str(self.integer(0, 9)) for _ in range(count))

    def new_uuid(self) -> uuid.UUID:
        """The next UUID of this stream: the same stream gives the same ones."""
        self._ids += 1
        return uuid.uuid5(_NAMESPACE, f"{self._name}#{self._ids}")

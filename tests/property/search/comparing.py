"""The server's answers beside the evaluator's.

Enters: a server with a population, and cases. Leaves: how many were asked and had an answer, or the simplest case on
which the two disagree.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from random import Random
from typing import NamedTuple

from tests.property.search.asking import NOW, Asking, Refused, asking
from tests.property.search.definitions import Resource
from tests.property.search.evaluator import agree, answer
from tests.property.search.pools import BASE
from tests.property.search.population import population
from tests.property.search.queries import Case, Queries
from tests.property.search.query_values import MODIFIED
from tests.property.search.world import World
from tests.services.postgres import Postgres

AT_ONCE = 50
DELETED_EVERY = 5
"""Of every fifth resource there is a deleted copy."""


class Difference(NamedTuple):
    """A case that the server does not answer as the evaluator does, or refuses."""

    case: Case
    expected: list[str]
    got: list[str] | Refused

    def __str__(self) -> str:
        got = f"refused: {self.got.args[1]}" if isinstance(self.got, Refused) else f"got {self.got}"
        return f"{self.case}\n  expected {self.expected}\n  {got}"


class Tally(NamedTuple):
    """How many cases were asked, and how many of them found something, but not everything."""

    asked: int = 0
    telling: int = 0


class Comparison:
    """A server and the evaluator, on the same resources."""

    def __init__(self, asking: Asking, world: World) -> None:
        self.asking, self.world = asking, world

    def queries(self, seed: str, features: Mapping[str, Sequence[str]] = MODIFIED) -> Queries:
        """A generator of cases; the same seed makes the same ones."""
        return Queries(self.world, Random(seed), features)

    def differences(self, cases: Sequence[Case], count: int = 1000) -> Iterator[Difference]:
        """Where the two disagree."""
        answers = self.asking.ask([(case.type, case.query) for case in cases], count)
        for case, got in zip(cases, answers, strict=True):
            expected = answer(self.world, case.type, case.query)
            if not agree(case.query, got, expected):
                yield Difference(case, expected, got)

    def check(self, make: Callable[[], Case], cases: int) -> Tally:
        """Asks so many cases. Raises: AssertionError with the simplest one that is answered otherwise"""
        tally = Tally()
        for begin in range(0, cases, AT_ONCE):
            asked = [make() for _ in range(min(AT_ONCE, cases - begin))]
            for difference in self.differences(asked):
                raise AssertionError(str(self.simplest(difference)))
            tally = Tally(tally.asked + len(asked), tally.telling + sum(map(self._is_telling, asked)))
        return tally

    def simplest(self, difference: Difference) -> Difference:
        """The difference that is left when no more can be left out."""
        for case in difference.case.simpler():
            for simpler in self.differences([case]):
                return self.simplest(simpler)
        return difference

    def _is_telling(self, case: Case) -> bool:
        found = answer(self.world, case.type, case.query)
        return 0 < len(found) < len(self.world.by_type[case.type])


@contextmanager
def stored(postgres: Postgres, folder: Path, seed: int) -> Iterator[Comparison]:
    """A population in a database of its own, beside it another site's, with the same ids, and deleted resources."""
    with holding(postgres, folder, population(seed), population(seed + 1)) as found:
        yield found


@contextmanager
def holding(
    postgres: Postgres, folder: Path, resources: Sequence[Resource], others: Sequence[Resource] = ()
) -> Iterator[Comparison]:
    """These resources in a database of their own. others: of another site"""
    with asking(postgres, folder) as found:
        if found.elsewhere:
            found.elsewhere.store(others)
        found.store_and_delete(resources[::DELETED_EVERY])
        found.store(resources)
        found.analyze()
        yield Comparison(found, World(found.resources, BASE, NOW))

"""The one gate out: may this person's record go to this consumer?

Enters: persons, site, consumer and purpose. Leaves: deliver, withhold (do not hand over) or withdraw (hand over no
more, and take back what was). Without a decision in the identity database a record is delivered.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping
from typing import Any, Literal, NamedTuple

from ecluse.core.db import queries

SQL = queries.load(__package__, "gate.sql")

CARE = ("deliver", "withhold", "withdraw")


class Decision(NamedTuple):
    """The answer, and the reason that the books show."""

    answer: Literal["deliver", "withhold", "withdraw"]
    reason: str = ""


DELIVER = Decision("deliver")


class Decisions:
    """The answers for one batch."""

    def __init__(self, found: Mapping[tuple[int, str | None], Decision]) -> None:
        self._found = found

    def of(self, person: int | None, site: str) -> Decision:
        """The more careful one of what was decided for the person at this site and at all sites."""
        if person is None or not self._found:
            return DELIVER
        answers = [self._found[key] for key in ((person, site), (person, None)) if key in self._found]
        return max(answers, key=lambda decision: CARE.index(decision.answer), default=DELIVER)


class Gate:
    """Asks the identity database, once a batch."""

    def __init__(self, pool: Any) -> None:
        self._pool = pool

    async def decisions(self, persons: Collection[int], consumer: str, purpose: str) -> Decisions:
        """What was decided for these persons."""
        if not persons:
            return Decisions({})
        rows = await self._pool.fetch(SQL["decisions"], list(persons), consumer, purpose)
        return Decisions({(row["person"], row["site"]): Decision(row["decision"], row["reason"]) for row in rows})

    async def held_back(self, consumer: str, purpose: str) -> list[int]:
        """The persons of whom something is not delivered, in order."""
        return [row["person"] for row in await self._pool.fetch(SQL["held_back"], consumer, purpose)]

    async def decide(self, person: int | None, site: str, consumer: str, purpose: str) -> Decision:
        """What was decided for one person."""
        found = await self.decisions([] if person is None else [person], consumer, purpose)
        return found.of(person, site)

"""A search as data: what `parse` understood and `compile` turns into SQL.

Enters: nothing. Leaves: frozen values. All conditions of a search hold; a condition is a clause on the rows of the
resource itself, or is made of others: what a reference leads to (a chain), what refers to the resource (`_has`),
alternatives, what must not be.
Spec: http://hl7.org/fhir/R4/search.html
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal, NamedTuple

from fhir_server.search.cursor import Cursor
from fhir_server.search.rest import Rest
from mappers.search.includes import Include
from mappers.search.question import Value

Kind = Literal["token", "reference", "string", "date", "quantity", "_id", "_lastUpdated"]
"""Where the rows stand that a clause is about: a search table, or a column of the resource."""
Total = Literal["none", "estimate", "accurate"]
Explain = Literal["", "plan", "analyze"]
Order = Literal["pk", "_id", "_lastUpdated", "token", "reference", "string", "date", "quantity"]


class Clause(NamedTuple):
    """A resource matches when one of its rows under one of the paths matches one of the values. selective: how few
    resources one value is likely to leave, 0 the fewest; single: a resource has at most one row under these paths."""

    code: str
    kind: Kind
    paths: tuple[int, ...]
    values: tuple[Value, ...]
    selective: int
    single: bool = False


class Joined(NamedTuple):
    """The parts of a composite: rows of one and the same item match all the clauses."""

    code: str
    clauses: tuple[Clause, ...]


class Missing(NamedTuple):
    """Whether a resource has no row at all under these paths. types: of targets that alone count, empty for all"""

    code: str
    kind: Kind
    paths: tuple[int, ...]
    types: tuple[int, ...] = ()


class Linked(NamedTuple):
    """A chain: a reference under one of the paths leads to a resource of this type that matches."""

    code: str
    paths: tuple[int, ...]
    type: str
    conditions: tuple[Condition, ...]


class Linking(NamedTuple):
    """A reverse chain: a resource of this type that matches refers to this one, under one of the paths."""

    code: str
    type: str
    paths: tuple[int, ...]
    conditions: tuple[Condition, ...]


class Canonical(NamedTuple):
    """The paths under which the resources of a type have their canonical address, and their version."""

    url: int
    version: int


class Addressed(NamedTuple):
    """A chain over canonical addresses: one under these paths leads to a resource of this type that matches. named: how
    that is named"""

    code: str
    paths: tuple[int, ...]
    type: str
    conditions: tuple[Condition, ...]
    named: Canonical


class Addressing(NamedTuple):
    """A reverse chain over canonical addresses: a resource of this type that matches leads to this one, under one of
    the paths. named: how this one is named"""

    code: str
    type: str
    paths: tuple[int, ...]
    conditions: tuple[Condition, ...]
    named: Canonical


class AllOf(NamedTuple):
    """All of these hold."""

    code: str
    conditions: tuple[Condition, ...]


class AnyOf(NamedTuple):
    """One of these holds."""

    code: str
    conditions: tuple[Condition, ...]


class Not(NamedTuple):
    """This does not hold."""

    code: str
    condition: Condition


Condition = Clause | Joined | Missing | Linked | Linking | Addressed | Addressing | AllOf | AnyOf | Not


def all_of(code: str, found: Sequence[Condition]) -> Condition:
    """The condition that all of these hold; of one, that one."""
    return found[0] if len(found) == 1 else AllOf(code, tuple(found))


def any_of(code: str, found: Sequence[Condition]) -> Condition:
    """The condition that one of these holds; of one, that one."""
    return found[0] if len(found) == 1 else AnyOf(code, tuple(found))


class Sort(NamedTuple):
    """One key of the order. Of several values of a resource the one counts that comes first in this order; a resource
    without any comes last, in either direction. types: of targets that alone count, empty for all"""

    by: Order
    descending: bool = False
    paths: tuple[int, ...] = ()
    many: bool = False
    types: tuple[int, ...] = ()


@dataclass(frozen=True, slots=True)
class SearchQuery:
    """One search of one type. sort: empty for the order of creation; count: resources on a page; total: `none`,
    `estimate` or `accurate`; includes: what comes with the matches; rest: the place among that to go on from; explain:
    tell how it is found instead; understood: name and text of each parameter that was obeyed, for the self link;
    ignored: of those that were not, with the reason."""

    type: str
    conditions: tuple[Condition, ...] = ()
    sort: tuple[Sort, ...] = ()
    count: int = 50
    cursor: Cursor | None = None
    total: Total = "none"
    count_only: bool = False
    includes: tuple[Include, ...] = ()
    rest: Rest | None = None
    explain: Explain = ""
    understood: tuple[tuple[str, str], ...] = ()
    ignored: tuple[str, ...] = ()

    @property
    def shows_none(self) -> bool:
        """Whether the answer is the number of matches, without any of them."""
        return self.count_only or not self.count

    @property
    def wants_total(self) -> bool:
        """Whether the number of matches is part of the answer."""
        return self.shows_none or self.total != "none"

    @property
    def descending(self) -> bool:
        """Whether of two resources that the keys do not part the younger one comes first."""
        return bool(self.sort) and self.sort[0].descending

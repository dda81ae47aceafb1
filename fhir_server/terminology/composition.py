"""What a value set is made of, resolved: pure data between its resource and its SQL.

A `Composed` is the union of its includes without its excludes; a part takes concepts of one code system, or of other
value sets, and all of its conditions hold.
Spec: http://hl7.org/fhir/R4/valueset.html#composition
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Literal, NamedTuple

from mappers.terminology.hierarchy import Interval

Json = dict[str, Any]


@dataclass(frozen=True, slots=True)
class System:
    """A code system whose concepts are here. size: how many; header: its CodeSystem without them; supplements: code
    systems that add to its concepts"""

    pk: int
    url: str
    version: str
    size: int
    header: Mapping[str, Any] = field(compare=False, hash=False)
    supplements: tuple[int, ...] = ()

    @property
    def complete(self) -> bool:
        """Whether a code that is not here is none."""
        return bool(self.header.get("content") == "complete")

    @property
    def case_sensitive(self) -> bool:
        """Whether codes that differ in case differ."""
        return bool(self.header.get("caseSensitive", True))

    @property
    def name(self) -> str:
        """What people call it."""
        return str(self.header.get("title") or self.header.get("name") or self.url)

    @property
    def canonical(self) -> str:
        """Address and version in one."""
        return f"{self.url}|{self.version}" if self.version else self.url


class Under(NamedTuple):
    """Positions within these intervals, or outside all of them."""

    intervals: tuple[Interval, ...]
    outside: bool = False


class Above(NamedTuple):
    """Concepts that subsume the one at this position."""

    position: int


class Beside(NamedTuple):
    """Concepts that have one of these among their parents."""

    parents: tuple[int, ...]


class At(NamedTuple):
    """The concepts at these positions."""

    positions: tuple[int, ...]


class Text(NamedTuple):
    """A comparison of code, display or definition."""

    column: Literal["code", "display", "definition"]
    op: str
    values: tuple[str, ...]


class Flag(NamedTuple):
    """Whether a concept is inactive, or abstract."""

    column: Literal["inactive", "abstract"]
    value: bool


class Property(NamedTuple):
    """A comparison of a property. types: how its values may be written, `valueCode`"""

    code: str
    op: str
    values: tuple[str, ...]
    types: tuple[str, ...]


Condition = Under | Above | Beside | At | Text | Flag | Property


class Listed(NamedTuple):
    """A concept that a value set names itself."""

    code: str
    display: str
    designations: Sequence[Json] = ()


@dataclass(frozen=True, slots=True)
class Part:
    """One include or exclude. system: "" when only value sets say; known: None when its concepts are not here; listed:
    None for all; untold: why it cannot be answered, "" when it can"""

    system: str = ""
    known: System | None = None
    listed: tuple[Listed, ...] | None = None
    conditions: tuple[Condition, ...] = ()
    within: tuple[Composed, ...] = ()
    untold: str = ""


@dataclass(frozen=True, slots=True)
class Composed:
    """A value set. active_only: it leaves inactive concepts out"""

    url: str
    version: str
    includes: tuple[Part, ...]
    excludes: tuple[Part, ...] = ()
    active_only: bool = False
    resource: Mapping[str, Any] = field(default_factory=dict, compare=False, hash=False)

    @property
    def canonical(self) -> str:
        """Address and version in one."""
        return f"{self.url}|{self.version}" if self.version else self.url


@dataclass(frozen=True, slots=True)
class Rows:
    """Where the concepts of a value set come from: one code system. is_list: only what the value set names, in its
    author's order; named: what it names, with its own displays"""

    system: str
    known: System | None
    is_list: bool
    named: tuple[Listed, ...] = ()

    def own(self, code: str) -> Listed | None:
        """How the value set itself names a concept."""
        return next((one for one in self.named if one.code == code), None)


def rows_of(composed: Composed) -> list[Rows]:
    """Each code system that gives concepts, in the order of the includes."""
    found: dict[tuple[str, System | None], Rows] = {}
    for rows in _rows(composed):
        earlier = found.get((rows.system, rows.known))
        if earlier is not None:
            named = {one.code: one for one in (*rows.named, *earlier.named)}
            order = dict.fromkeys(one.code for one in (*earlier.named, *rows.named))
            both = earlier.is_list and rows.is_list
            rows = Rows(rows.system, rows.known, both, tuple(named[code] for code in order))
        found[rows.system, rows.known] = rows
    return list(found.values())


def _rows(composed: Composed) -> Iterator[Rows]:
    for part in composed.includes:
        if part.system:
            first = {one.code: one for one in reversed(part.listed or ())}
            named = tuple(first[code] for code in dict.fromkeys(one.code for one in part.listed or ()))
            yield Rows(part.system, part.known, part.listed is not None, named)
        elif part.within:
            yield from _rows(part.within[0])


def parts_of(composed: Composed) -> Iterator[Part]:
    """Every part, of the value sets within it too."""
    for part in (*composed.includes, *composed.excludes):
        yield part
        for other in part.within:
            yield from parts_of(other)

"""What a query asks of one parameter, before and after each search type has read it.

Enters: text between the commas of a query. Leaves: values in the form that the index has, so that they compare by
equality or order. The signs `,` `|` `$` and `\\` are written with a `\\` before them when they are meant as such.
Spec: http://hl7.org/fhir/R4/search.html#escaping
"""

from __future__ import annotations

import re
from datetime import datetime
from decimal import Decimal
from typing import Any, NamedTuple

from ecluse.core.errors import BadRequest
from ecluse.core.fhir.definitions.search_parameters import IndexedPath, Parameter


class Question(NamedTuple):
    """What the values of a query are read for. base: the address of this server, "" when unknown; now: for `ap`."""

    parameter: Parameter
    paths: tuple[IndexedPath, ...]
    base: str
    now: datetime


class Token(NamedTuple):
    """system: key, 0 for none, None for any; code: None for any; address: of the system of a code with letters, whose
    case may not count, "" where it does."""

    system: int | None
    code: str | None
    address: str = ""


class Target(NamedTuple):
    """types: numbers, 0 for an address elsewhere; empty for any type of this server."""

    types: tuple[int, ...]
    id: str


class Beginning(NamedTuple):
    """The folded text that a string begins with."""

    folded: str


class Exact(NamedTuple):
    """A string as a whole, letter by letter, and its fold."""

    folded: str
    exact: str


class Whole(NamedTuple):
    """The folded text that a string is."""

    folded: str


class Ending(NamedTuple):
    """The folded text that a string ends with."""

    folded: str


class Containing(NamedTuple):
    """The folded text that stands anywhere in a string."""

    folded: str


class Listed(NamedTuple):
    """Codes with the keys of their systems, pair by pair: what a value set or a hierarchy holds."""

    systems: tuple[int, ...]
    codes: tuple[str, ...]


class InSet(NamedTuple):
    """The codes of a value set, by its address or by `ValueSet/id`; becomes `Listed` before it is compiled. implied:
    systems of plain codes, which have none in the index"""

    address: str
    implied: tuple[str, ...] = ()


class Subsumed(NamedTuple):
    """The codes above or below one of a code system, itself included; becomes `Listed` before it is compiled. implied:
    as in `InSet`"""

    above: bool
    system: str
    code: str
    implied: tuple[str, ...] = ()


class Branch(NamedTuple):
    """The resources of a type above or below one of them, itself included, along its `partOf`."""

    above: bool
    type: int
    id: str


class Address(NamedTuple):
    """A uri as a whole."""

    text: str


class Under(NamedTuple):
    """A uri, and all that are below it: those that go on after one of these signs. column: where the rows have it"""

    text: str
    column: str = "code"
    signs: tuple[str, ...] = ("/",)


class Moment(NamedTuple):
    """An interval to compare with, and how: eq ne gt lt ge le sa eb ap."""

    prefix: str
    low: datetime
    high: datetime


class Amount(NamedTuple):
    """A number to compare with, and how: eq ne gt lt ge le sa eb ap.

    low, high: the half-open interval of what the number stands for, by `eq`, `ne` and `ap`; exact: the number, by all
    others. unit: key of the canonical unit that all three are in, None when they are compared with the values as they
    were written; text: key of a unit's code or text, one of which must be it, None for any"""

    prefix: str
    low: Decimal
    high: Decimal
    exact: Decimal
    unit: int | None = None
    text: int | None = None


class Span(NamedTuple):
    """Degrees, both ends included."""

    low: float
    high: float


class Circle(NamedTuple):
    """The places within some metres of one, at most, and the box that they are in: latitudes, and one or two spans of
    longitudes, all in degrees."""

    latitude: float
    longitude: float
    metres: float
    latitudes: Span
    longitudes: tuple[Span, ...]


class Other(NamedTuple):
    """Any value but these. types: of targets that alone count, empty for all"""

    values: tuple[Any, ...]
    types: tuple[int, ...] = ()


class Identified(NamedTuple):
    """An identifier in a reference that leads to one of some types, or may. items: the marks of these types"""

    token: Token
    items: tuple[int, ...]


class Id(NamedTuple):
    """The logical id of a resource."""

    id: str


Value = (
    (Token | Listed | InSet | Subsumed)
    | (Target | Branch | Identified)
    | (Beginning | Exact | Whole | Ending | Containing)
    | (Address | Under)
    | (Moment | Amount | Circle | Id | Other)
)

_ESCAPED = re.compile(r"\\([,|$\\])")
_SPECIAL = re.compile(r"([,|$\\])")


def parts(text: str, separator: str) -> list[str]:
    """The text cut at each separator that has no `\\` before it; what is escaped stays escaped."""
    if "\\" not in text:
        return text.split(separator)
    found = [""]
    for piece in re.findall(r"\\.|.|\\$", text, re.DOTALL):
        if piece == separator:
            found.append("")
        else:
            found[-1] += piece
    return found


def plain(text: str) -> str:
    """The text without its escapes; a `\\` before any other sign stands for itself."""
    return _ESCAPED.sub(r"\1", text) if "\\" in text else text


def escaped(text: str) -> str:
    """The text as a query must write it."""
    return _SPECIAL.sub(r"\\\1", text)


def refused(question: Question, text: str, advice: str) -> BadRequest:
    """The error for a value that cannot be read. advice: what would be valid."""
    return BadRequest(f"{question.parameter.code}: {advice}", diagnostics=f'found "{text[:80]}"')

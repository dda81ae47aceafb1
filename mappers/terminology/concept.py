"""One concept of a code system, whoever published it.

Every reader of this package leaves concepts in this form; nothing behind it knows a publisher's format.
Spec: http://hl7.org/fhir/R4/codesystem-definitions.html#CodeSystem.concept
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from typing import Any, NamedTuple

Json = dict[str, Any]


class Concept(NamedTuple):
    """parents, children: codes, of which the other may stand before or after; designations, properties: as FHIR writes
    them."""

    code: str
    display: str = ""
    definition: str = ""
    parents: tuple[str, ...] = ()
    children: tuple[str, ...] = ()
    inactive: bool = False
    abstract: bool = False
    designations: Sequence[Json] = ()
    properties: Sequence[Json] = ()


class Source(NamedTuple):
    """A code system that can be read. header: its CodeSystem without concepts; concepts: gives them anew each time, so
    that none need be kept."""

    header: Json
    concepts: Callable[[], Iterable[Concept]]

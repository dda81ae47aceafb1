"""Reference parameters: who points to whom.

Enters: a value of a resource, or the text of a query. Leaves: rows, or the same targets to look for. A relative
reference is a type and an id, its version left out; every other address is kept whole, under type 0. Links to contained
resources, and references that have nothing but an identifier, leave no row.
Spec: http://hl7.org/fhir/R4/search.html#reference
"""

from __future__ import annotations

from functools import lru_cache
from typing import Any

from ecluse.core.fhir.types import number_of
from mappers.search.rows import IndexRows, Reader, Visit, limited

ELSEWHERE = 0
"""The target type of an address that is not in this server."""


@lru_cache(maxsize=8192)
def normalise(text: str) -> tuple[int, str]:
    """(number of the target's type, its id), or (0, the whole address)."""
    name, _, rest = text.partition("/")
    number = number_of.get(name, ELSEWHERE)
    target, _, version = rest.partition("/")
    if number and target and (not version or version.startswith("_history/")):
        return number, limited(target)
    return ELSEWHERE, limited(text)


def canonical(text: str) -> tuple[str, ...]:
    """The texts under which a canonical address is found: without its version, and as written."""
    address, bar, _ = text.partition("|")
    return (limited(address), limited(text)) if bar and address else (limited(text),)


def _reference(path: int) -> Visit:
    def visit(value: dict[str, Any], rows: IndexRows) -> None:
        text = value.get("reference")
        if text and text[0] != "#":
            rows[1].append((path, *normalise(text)))

    return visit


def _canonical(path: int) -> Visit:
    def visit(value: str, rows: IndexRows) -> None:
        if value[:1] != "#":
            rows[1].extend((path, ELSEWHERE, text) for text in canonical(value))

    return visit


READERS: dict[str, Reader] = {"Reference": _reference, "canonical": _canonical, "uri": _canonical}

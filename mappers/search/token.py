"""Token parameters: codes, identifiers, booleans.

Enters: a value of a resource, or the text of a query. Leaves: rows, or the same codes and keys to look for. Codes are
compared as they are written: two identifiers that differ in case are two identifiers.
Spec: http://hl7.org/fhir/R4/search.html#token
"""

from __future__ import annotations

from functools import lru_cache
from hashlib import blake2b
from typing import Any

from mappers.search.rows import LONGEST, IndexRows, Reader, Visit, limited

normalise = limited
"""The code as the index holds it."""


@lru_cache(maxsize=4096)
def system_key(url: str) -> int:
    """The signed 64-bit number that stands for a system in the index; 0 is no system."""
    return int.from_bytes(blake2b(url.encode(), digest_size=8).digest(), "big", signed=True)


def _text(path: int) -> Visit:
    def visit(value: str, rows: IndexRows) -> None:
        rows[0].append((path, 0, value if len(value) <= LONGEST else limited(value)))

    return visit


def _boolean(path: int) -> Visit:
    def visit(value: bool, rows: IndexRows) -> None:
        rows[0].append((path, 0, "true" if value else "false"))

    return visit


def _coded(member: str) -> Reader:
    """A reader of an object with a system and a member that holds the code."""

    def reader(path: int) -> Visit:
        def visit(value: dict[str, Any], rows: IndexRows) -> None:
            code, system = value.get(member), value.get("system")
            if code is not None or system is not None:
                rows[0].append((path, system_key(system) if system else 0, normalise(code or "")))

        return visit

    return reader


_coding = _coded("code")


def _concept(path: int) -> Visit:
    coding = _coding(path)

    def visit(value: dict[str, Any], rows: IndexRows) -> None:
        for one in value.get("coding", ()):
            coding(one, rows)

    return visit


def _contact_point(path: int) -> Visit:
    def visit(value: dict[str, Any], rows: IndexRows) -> None:
        if (text := value.get("value")) is not None:
            rows[0].append((path, 0, normalise(text)))

    return visit


READERS: dict[str, Reader] = {
    "Coding": _coding,
    "CodeableConcept": _concept,
    "Identifier": _coded("value"),
    "ContactPoint": _contact_point,
    "boolean": _boolean,
    "code": _text,
    "string": _text,
    "id": _text,
    "uri": _text,
}

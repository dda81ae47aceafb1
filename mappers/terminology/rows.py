"""Concepts as PostgreSQL's COPY reads them.

Enters: concepts and their places. Leaves: lines of COPY's text format, columns in the order of COLUMNS; texts without
the sign NUL, which PostgreSQL does not hold.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import Any

from ecluse.core.errors import Unprocessable
from ecluse.core.fhir import json
from mappers.terminology.concept import Concept
from mappers.terminology.hierarchy import Hierarchy, Interval, Place
from mappers.terminology.words import words_of

COLUMNS = (
    *("system", "position", "under", "parents", "code", "display", "definition"),
    *("inactive", "abstract", "designation", "property", "words"),
)
_ESCAPES = str.maketrans({"\\": "\\\\", "\t": "\\t", "\n": "\\n", "\r": "\\r", "\x00": None})
_QUOTES = str.maketrans({"'": "''", "\\": "\\\\"})
NONE = "\\N"
LONGEST_CODE = 500
"""Characters of a code; PostgreSQL refuses index rows above 2,700 bytes."""
MOST_WORDS = 2000
"""Words by which one concept is found."""


def lines(system: int, concepts: Iterable[Concept], hierarchy: Hierarchy) -> Iterator[bytes]:
    """A line a concept; of two with one code the first.

    Raises: Unprocessable (422) for a code that is too long"""
    written: set[int] = set()
    for concept in concepts:
        _check_length(concept.code)
        place = hierarchy.place(concept.code)
        if place.position not in written:
            written.add(place.position)
            yield _line(system, concept, place).encode()


def _check_length(code: str) -> None:
    if len(code) > LONGEST_CODE:
        raise Unprocessable(f"A code has at most {LONGEST_CODE} characters.", diagnostics=f"found {code[:80]!r}…")


def _line(system: int, concept: Concept, place: Place) -> str:
    parents = "{" + ",".join(map(str, place.parents)) + "}"
    own = words_of(concept.code, concept.display, concept.designations)
    fields = (
        *(str(system), str(place.position), multirange(place.under), parents),
        *(_text(concept.code), _text(concept.display) or NONE, _text(concept.definition) or NONE),
        *("t" if concept.inactive else "f", "t" if concept.abstract else "f"),
        *(_json(concept.designations), _json(concept.properties)),
        _text(" ".join(f"'{word.translate(_QUOTES)}'" for word in own[:MOST_WORDS])),
    )
    return "\t".join(fields) + "\n"


def multirange(intervals: Iterable[Interval]) -> str:
    """The intervals as PostgreSQL writes an int4multirange."""
    return "{" + ",".join(f"[{low},{high}]" for low, high in intervals) + "}"


def _json(items: Iterable[dict[str, object]]) -> str:
    listed = list(items)
    text = json.encode(listed).decode() if listed else ""
    if "\\u0000" in text:
        text = json.encode(_without_nul(listed)).decode()
    return _text(text) or NONE


def _without_nul(value: Any) -> Any:
    if isinstance(value, dict):
        return {name: _without_nul(member) for name, member in value.items()}
    if isinstance(value, list):
        return [_without_nul(item) for item in value]
    return value.replace("\x00", "") if isinstance(value, str) else value


def _text(text: str) -> str:
    return text.translate(_ESCAPES)

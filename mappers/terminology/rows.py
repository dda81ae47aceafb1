"""Concepts as PostgreSQL's COPY reads them.

Enters: concepts and their places. Leaves: lines of COPY's text format, columns in the order of COLUMNS; texts without
the sign NUL, which PostgreSQL does not hold.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator

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


def lines(system: int, concepts: Iterable[Concept], hierarchy: Hierarchy) -> Iterator[bytes]:
    """A line a concept; of two with one code the first."""
    written: set[int] = set()
    for concept in concepts:
        place = hierarchy.place(concept.code)
        if place.position not in written:
            written.add(place.position)
            yield _line(system, concept, place).encode()


def _line(system: int, concept: Concept, place: Place) -> str:
    parents = "{" + ",".join(map(str, place.parents)) + "}"
    own = words_of(concept.code, concept.display, concept.designations)
    fields = (
        *(str(system), str(place.position), multirange(place.under), parents),
        *(_text(concept.code), _text(concept.display) or NONE, _text(concept.definition) or NONE),
        *("t" if concept.inactive else "f", "t" if concept.abstract else "f"),
        *(_json(concept.designations), _json(concept.properties)),
        _text(" ".join(f"'{word.translate(_QUOTES)}'" for word in own)),
    )
    return "\t".join(fields) + "\n"


def multirange(intervals: Iterable[Interval]) -> str:
    """The intervals as PostgreSQL writes an int4multirange."""
    return "{" + ",".join(f"[{low},{high}]" for low, high in intervals) + "}"


def _json(items: Iterable[dict[str, object]]) -> str:
    listed = list(items)
    return _text(json.encode(listed).decode().replace("\\u0000", "")) if listed else NONE


def _text(text: str) -> str:
    return text.translate(_ESCAPES)

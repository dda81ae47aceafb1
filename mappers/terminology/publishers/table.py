"""A publisher's file as rows of cells, with the number of each line.

Enters: rows, wherever they were read. Leaves: records by the names of the header; what is wrong is told with its line.
"""

from __future__ import annotations

import unicodedata
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from typing import NamedTuple

from ecluse.core.errors import BadRequest

Row = tuple[int, Sequence[str]]
"""Number of the line, from 1, and its cells."""
HEADER_WITHIN = 40
"""Lines in which a header may stand; publishers put titles above it."""


class Table(NamedTuple):
    """name: of the file, for messages; rows: gives them anew each time"""

    name: str
    rows: Callable[[], Iterable[Row]]


class Header(NamedTuple):
    """line: where it stands; columns: plain name → place"""

    line: int
    columns: Mapping[str, int]


def plain(name: str) -> str:
    """The name of a column without case, accents and what parts its words."""
    decomposed = unicodedata.normalize("NFKD", name.strip().lower().lstrip("\ufeff"))
    letters = (letter if letter.isalnum() else " " for letter in decomposed if not unicodedata.combining(letter))
    return " ".join("".join(letters).split())


def header(table: Table, wanted: Sequence[frozenset[str]]) -> Header | None:
    """The first line that has, for each of the wanted sets, a column of one of its names."""
    for line, cells in table.rows():
        if line > HEADER_WITHIN:
            break
        columns = {plain(cell): place for place, cell in reversed(list(enumerate(cells)))}
        if all(names & columns.keys() for names in wanted):
            return Header(line, columns)
    return None


def records(table: Table, found: Header, names: Mapping[str, frozenset[str]]) -> Iterator[tuple[int, dict[str, str]]]:
    """The lines below the header, each as name → text.

    names: our name of a column → the names that publishers give it"""
    places = {
        ours: min(found.columns[one] for one in theirs & found.columns.keys())
        for ours, theirs in names.items()
        if theirs & found.columns.keys()
    }
    for line, cells in table.rows():
        if line > found.line:
            yield line, {ours: cells[at].strip() if at < len(cells) else "" for ours, at in places.items()}


def refused(table: Table, line: int, text: str, found: str = "") -> BadRequest:
    """The error for a line that cannot be read. text: what is wrong, and the fix"""
    return BadRequest(f"{table.name}, line {line}: {text}", diagnostics=f"found {found[:80]!r}" if found else "")

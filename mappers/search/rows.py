"""The shape of index rows.

Rows are keyed by the number of the element path they were taken from (`definitions/search_parameters.json`).
"""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime
from decimal import Decimal
from hashlib import blake2b
from typing import Any, NamedTuple

GENERATION = 4
"""Counts the releases that make other rows of the same resource: a server that finds rows of a lower one in its store
compares them all with the bodies, once."""

TokenRow = tuple[int, int, int, str]
"""(path, item, key of the system or 0, code); uri parameters have their rows here too, with system 0."""
ReferenceRow = tuple[int, int, int, str]
"""(path, item, number of the target's type or 0, id or whole address)"""
StringRow = tuple[int, str, str]
"""(path, folded, exact)"""
DateRow = tuple[int, int, datetime, datetime]
"""(path, item, low, high), half-open, aware UTC"""
QuantityRow = tuple[int, int, int, int, int, Decimal, Decimal, Decimal, Decimal]
"""(path, item, unit, code, text, low, high, canonical low, canonical high), both ends included; unit: key of what the
canonical bounds are in, code and text: key of the unit as it was written, 0 for none; number parameters have their rows
here too, without unit, and so have positions, with the latitude as bounds and the longitude as canonical ones."""


class IndexRows(NamedTuple):
    """What the search tables hold of one resource. item: which of the repeated elements that a composite parameter
    reads a row was taken from, from 1; of an identifier beside a reference the type that this leads to, below 0
    (reference.py), of one under its type OF_TYPE; 0 elsewhere."""

    tokens: list[TokenRow]
    references: list[ReferenceRow]
    strings: list[StringRow]
    dates: list[DateRow]
    quantities: list[QuantityRow]


def no_rows() -> IndexRows:
    """Lists to be filled."""
    return IndexRows([], [], [], [], [])


Visit = Callable[[Any, IndexRows], None]
"""Adds the rows of one value."""
Reader = Callable[[int], Visit]
"""Makes the visit of a data type for one path number."""

WITH_ITEM = (0, 1, 3, 4)
"""The kinds of rows, by their place in IndexRows, that say from which item of a repeating element they are."""
MOST_ITEMS = 32_767
OF_TYPE = -32_768
"""In place of the item of a token that is an identifier under its type: no value of its own."""

LONGEST = 250
"""Characters of a text that an index holds as it is; PostgreSQL refuses index rows above 2,700 bytes."""
_KEPT = 200


def limited(text: str) -> str:
    """The text as an index holds it: a longer one is cut and ends in a hash of all of it, so that equality still
    tells."""
    if len(text) <= LONGEST:
        return text
    return f"{text[:_KEPT]}…{blake2b(text.encode(), digest_size=16).hexdigest()}"

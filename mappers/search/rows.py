"""The shape of index rows.

Rows are keyed by the number of the element path they were taken from (`definitions/search_parameters.json`).
"""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime
from hashlib import blake2b
from typing import Any, NamedTuple

TokenRow = tuple[int, int, str]
"""(path, key of the system or 0, code); uri parameters have their rows here too, with system 0."""
ReferenceRow = tuple[int, int, str]
"""(path, number of the target's type or 0, id or whole address)"""
StringRow = tuple[int, str, str]
"""(path, folded, exact)"""
DateRow = tuple[int, datetime, datetime]
"""(path, low, high), half-open, aware UTC"""


class IndexRows(NamedTuple):
    """What the search tables hold of one resource."""

    tokens: list[TokenRow]
    references: list[ReferenceRow]
    strings: list[StringRow]
    dates: list[DateRow]


Visit = Callable[[Any, IndexRows], None]
"""Adds the rows of one value."""
Reader = Callable[[int], Visit]
"""Makes the visit of a data type for one path number."""

LONGEST = 250
"""Characters of a text that an index holds as it is; PostgreSQL refuses index rows above 2,700 bytes."""
_KEPT = 200


def limited(text: str) -> str:
    """The text as an index holds it: a longer one is cut and ends in a hash of all of it, so that equality still
    tells."""
    if len(text) <= LONGEST:
        return text
    return f"{text[:_KEPT]}…{blake2b(text.encode(), digest_size=16).hexdigest()}"

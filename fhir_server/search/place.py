"""Where a resource stands in a statement that is built.

Enters: nothing. Leaves: a frozen value.
"""

from __future__ import annotations

from typing import NamedTuple


class Place(NamedTuple):
    """type: of the resource; pk: its key, as SQL; row: alias of its row of `fhir.resource`, empty when that is not at
    hand."""

    type: str
    pk: str
    row: str = ""

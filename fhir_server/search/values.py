"""What is known of the rows under a path before any is looked at.

Enters: paths. Leaves: data types, and how many rows a resource may have.
"""

from __future__ import annotations

from collections.abc import Sequence

from ecluse.core.fhir.definitions.indexed import ends_of
from ecluse.core.fhir.definitions.search_parameters import IndexedPath

MANY_ROWS = {"HumanName", "Address", "CodeableConcept", "canonical"}
"""Data types of which one value makes several rows."""


def is_one_row(paths: Sequence[IndexedPath]) -> bool:
    """Whether a resource has at most one row under these paths."""
    if len(paths) != 1 or paths[0].evaluated:
        return False
    return not any(end.many or end.kind in MANY_ROWS for end in ends_of(paths[0]))


def kinds_of(paths: Sequence[IndexedPath]) -> set[str]:
    """The data types that these paths end in."""
    return {end.kind for path in paths for end in ends_of(path)}

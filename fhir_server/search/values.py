"""What is known of the rows under a path before any is looked at.

Enters: paths. Leaves: data types, and how many rows a resource may have.
"""

from __future__ import annotations

from collections.abc import Sequence

from ecluse.core.fhir.definitions.indexed import ends_of
from ecluse.core.fhir.definitions.search_parameters import IndexedPath, Parameter
from ecluse.core.fhir.types import number_of
from mappers.search.reference import ELSEWHERE

MANY_ROWS = {"HumanName", "Address", "CodeableConcept", "Identifier", "canonical"}
"""Data types of which one value makes several rows."""


def is_one_row(paths: Sequence[IndexedPath]) -> bool:
    """Whether a resource has at most one row under these paths."""
    if len(paths) != 1 or paths[0].evaluated:
        return False
    return not any(end.many or end.kind in MANY_ROWS for end in ends_of(paths[0]))


def types_of(parameter: Parameter, paths: Sequence[IndexedPath]) -> tuple[int, ...]:
    """The types that a reference parameter takes of those that its paths lead to, an address elsewhere among them; none
    when it takes all: `patient` has not all that `subject` has."""
    if parameter.type != "reference" or not parameter.targets:
        return ()
    led_to = {target for path in paths for end in ends_of(path) for target in end.targets or number_of}
    return () if led_to <= {*parameter.targets} else (ELSEWHERE, *(number_of[name] for name in parameter.targets))


def by_kind(paths: Sequence[IndexedPath]) -> tuple[tuple[int, ...], tuple[int, ...]]:
    """The numbers of those paths that end in references, and of those that end in canonical addresses."""
    kinds = [(path.number, {end.kind == "Reference" for end in ends_of(path)}) for path in paths]
    return tuple(number for number, own in kinds if True in own), tuple(number for number, own in kinds if False in own)


def kinds_of(paths: Sequence[IndexedPath]) -> set[str]:
    """The data types that these paths end in."""
    return {end.kind for path in paths for end in ends_of(path)}

"""The index rows of a resource, and the patient it belongs to.

Enters: an accepted resource in memory. Leaves: rows for the search tables, or the id of a patient. What reads them is
compiled once for each resource type, when it is first seen.
"""

from __future__ import annotations

from functools import cache
from typing import Any, TypeVar

from ecluse.core.fhir.definitions.search_parameters import paths_of
from mappers.search import patient
from mappers.search.registry import BUILT_IN, Registry
from mappers.search.rows import IndexRows, Visit, no_rows
from mappers.search.walk import compiled

Row = TypeVar("Row")

__all__ = ["IndexRows", "index_rows", "once", "own_rows", "patient_of"]


def index_rows(resource_type: str, resource: dict[str, Any], registry: Registry = BUILT_IN) -> IndexRows:
    """What the search tables hold of this resource: no row twice, in the order of the resource.

    registry: of its site, when paths made at run time count too
    Raises: Unprocessable (422) when a date is none
    Spec: http://hl7.org/fhir/R4/search.html"""
    rows = no_rows()
    _visit(resource_type)(resource, rows)
    if (own := registry.visit(resource_type)) is not None:
        own(resource, rows)
    return once(rows)


def own_rows(resource_type: str, resource: dict[str, Any], registry: Registry) -> IndexRows:
    """What of these is taken from paths made at run time."""
    rows = no_rows()
    if (own := registry.visit(resource_type)) is not None:
        own(resource, rows)
    return once(rows)


def once(rows: IndexRows) -> IndexRows:
    """The same, no row twice."""
    tokens, references, strings, dates, quantities = rows
    return IndexRows(_once(tokens), _once(references), _once(strings), _once(dates), _once(quantities))


def _once(rows: list[Row]) -> list[Row]:
    return rows if len(rows) < 2 else list(dict.fromkeys(rows))


def patient_of(resource_type: str, resource_id: str, resource: dict[str, Any]) -> str | None:
    """The id of the patient whose compartment the resource is in, None when there is none.

    Spec: http://hl7.org/fhir/R4/compartmentdefinition-patient.html"""
    if resource_type == "Patient":
        return resource_id
    return patient.finder(resource_type)(resource)


@cache
def _visit(resource_type: str) -> Visit:
    return compiled(resource_type, paths_of(resource_type))

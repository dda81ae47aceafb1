"""The index rows of a resource, and the patient it belongs to.

Enters: an accepted resource in memory. Leaves: rows for the search tables, or the id of a patient. What reads them is
compiled once for each resource type, when it is first seen.
"""

from __future__ import annotations

from functools import cache
from typing import Any

from ecluse.core.fhir.definitions.search_parameters import paths_of
from mappers.search import patient
from mappers.search.rows import IndexRows, Visit
from mappers.search.walk import compiled

__all__ = ["IndexRows", "index_rows", "patient_of"]


def index_rows(resource_type: str, resource: dict[str, Any]) -> IndexRows:
    """What the search tables hold of this resource: no row twice, in the order of the resource.

    Raises: Unprocessable (422) when a date is none
    Spec: http://hl7.org/fhir/R4/search.html"""
    rows = IndexRows([], [], [], [])
    _visit(resource_type)(resource, rows)
    tokens, references, strings, dates = rows
    return IndexRows(
        list(dict.fromkeys(tokens)),
        list(dict.fromkeys(references)),
        list(dict.fromkeys(strings)),
        list(dict.fromkeys(dates)),
    )


def patient_of(resource_type: str, resource_id: str, resource: dict[str, Any]) -> str | None:
    """The id of the patient whose compartment the resource is in, None when there is none.

    Spec: http://hl7.org/fhir/R4/compartmentdefinition-patient.html"""
    if resource_type == "Patient":
        return resource_id
    return patient.finder(resource_type)(resource)


@cache
def _visit(resource_type: str) -> Visit:
    return compiled(resource_type, paths_of(resource_type))

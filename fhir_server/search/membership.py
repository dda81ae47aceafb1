"""Compartments: whose resources are searched.

Enters: a compartment, as `Patient/1` names it. Leaves: the types that it can hold, and the condition that a resource is
in it. What refers to a Patient who was merged is in the survivor's compartment, as it is in his searches.
Spec: http://hl7.org/fhir/R4/compartmentdefinition.html, http://hl7.org/fhir/R4/http.html#vsearch
"""

from __future__ import annotations

from functools import cache
from typing import NamedTuple

from ecluse.core.errors import NotFound
from ecluse.core.fhir.definitions.search_parameters import compartment, parameters
from ecluse.core.fhir.types import number_of
from fhir_server.search.query import AnyOf, Clause, Condition
from mappers.search.question import Id, Target

COMPARTMENTS = ("Device", "Encounter", "Patient", "Practitioner", "RelatedPerson")
DEFINITION = "http://hl7.org/fhir/CompartmentDefinition/"
SELECTIVE = 2
"""As a reference parameter is."""


class Compartment(NamedTuple):
    """type, id: of the resource that it is named after."""

    type: str
    id: str

    def check(self, resource_type: str) -> None:
        """Nothing, when resources of this type can be in it. Raises: NotFound (404) with the types that can"""
        known = members(self.type)
        if resource_type not in known:
            text = f"No {resource_type} is ever in the compartment of a {self.type}; these are: {', '.join(known)}."
            raise NotFound(text)

    def holds(self, resource_type: str) -> Condition:
        """The condition that a resource of this type is in it."""
        paths = members(self.type)[resource_type]
        refers = Clause("_compartment", "reference", paths, (Target((number_of[self.type],), self.id),), SELECTIVE)
        if resource_type != self.type:
            return refers
        itself = Clause("_id", "_id", (), (Id(self.id),), 0)
        return AnyOf("_compartment", (itself, refers)) if paths else itself


@cache
def members(name: str) -> dict[str, tuple[int, ...]]:
    """Type → paths of the references that put a resource into the compartment; the type itself is in its own."""
    found = {name: (), **compartment(name)}
    known = {kind: parameters(kind) for kind in found}
    return {
        kind: tuple(sorted({path for code in codes if code in known[kind] for path in known[kind][code].paths}))
        for kind, codes in sorted(found.items())
    }

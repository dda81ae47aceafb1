"""What searches can do, as a CapabilityStatement tells it.

Enters: a registry. Leaves: members of `CapabilityStatement.rest` and of its resources.
Spec: http://hl7.org/fhir/R4/capabilitystatement-definitions.html#CapabilityStatement.rest
"""

from __future__ import annotations

from typing import Any

from ecluse.core.fhir.types import number_of
from fhir_server.search.membership import COMPARTMENTS, DEFINITION
from mappers.search.includes import EVERY, references
from mappers.search.registry import Registry

SPECIAL = {
    "_filter": 'An expression of conditions: given eq "peter" and birthdate ge 2014.',
    "_has": "What refers to the resources: _has:Observation:patient:code=1234-5.",
    "_list": "What a List refers to, by its id.",
    "_type": "Of searches over several types, these alone: Patient,Encounter.",
}
"""Parameters that no SearchParameter of a type defines."""
SYSTEM: dict[str, Any] = {
    "searchParam": [{"name": name, "type": "special", "documentation": text} for name, text in SPECIAL.items()],
    "compartment": [f"{DEFINITION}{name[0].lower()}{name[1:]}" for name in COMPARTMENTS],
}
"""Of the whole server."""


def includes(registry: Registry) -> dict[str, dict[str, Any]]:
    """Type → what comes with its matches: along its own references, and along those that lead to it."""
    found: dict[str, dict[str, Any]] = {
        name: {"searchInclude": [EVERY], "searchRevInclude": [EVERY]} for name in number_of
    }
    for name in number_of:
        for parameter in references(name, registry):
            text = f"{name}:{parameter.code}"
            found[name]["searchInclude"].append(text)
            for target in parameter.targets or number_of:
                found[target]["searchRevInclude"].append(text)
    return found

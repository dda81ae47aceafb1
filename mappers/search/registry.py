"""The search parameters that are served, and why the others are not.

Enters: a resource type and a code. Leaves: parameters, or reasons.
"""

from __future__ import annotations

from functools import cache

from ecluse.core.fhir.definitions.search_parameters import Parameter, parameters
from mappers.search.not_indexed import GENERAL, KINDS, PARAMETERS

__all__ = ["Parameter", "reason_against", "searchable", "served"]


@cache
def served(resource_type: str) -> dict[str, Parameter]:
    """The parameters that a search of this type may use, by code."""
    found = parameters(resource_type)
    return {code: parameter for code, parameter in found.items() if not reason_against(resource_type, code)}


def searchable(resource_type: str) -> tuple[Parameter, ...]:
    """The same, as the CapabilityStatement lists them."""
    return tuple(served(resource_type).values())


def reason_against(resource_type: str, code: str) -> str:
    """Why a parameter is not served; empty when it is, or when R4 has no such parameter."""
    if code in GENERAL:
        return GENERAL[code]
    parameter = parameters(resource_type).get(code)
    if parameter is None:
        return ""
    return PARAMETERS.get(f"{resource_type}.{code}") or KINDS.get(parameter.type, "")

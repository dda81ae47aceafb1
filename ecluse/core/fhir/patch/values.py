"""The value of an operation of a FHIRPath Patch.

Enters: a part of Parameters: value[x], a resource, or parts by which an element without a type of its own is made.
Leaves: a `Value`, whose JSON is made when it is known where it goes.
Spec: http://hl7.org/fhir/R4/fhirpatch.html
"""

from __future__ import annotations

from typing import Any, NamedTuple

from ecluse.core.errors import BadRequest, Issue
from ecluse.core.fhir.fhirpath.nodes import members

_CHOICES = {member.key: member.type for member in members("Parameters.parameter")["value"]}


class Value(NamedTuple):
    """type: "date", "HumanName", "Resource", or "" for parts; json, sibling: as in Parameters; parts: name and value"""

    type: str
    json: Any = None
    sibling: Any = None
    parts: tuple[tuple[str, Value], ...] = ()


def value_of(part: dict[str, Any], place: str) -> Value:
    """The value that a part holds.

    Raises: BadRequest (400) when it holds none"""
    if "resource" in part:
        return Value("Resource", part["resource"])
    for key, kind in _CHOICES.items():
        if key in part or f"_{key}" in part:
            return Value(kind, part.get(key), part.get(f"_{key}"))
    inner = part.get("part", [])
    if not inner:
        text = "Give the value as value[x], or as parts for an element without a data type."
        raise BadRequest(issues=[Issue(text, place, code="required")])
    return Value("", parts=tuple((one["name"], value_of(one, f"{place}.part[{at}]")) for at, one in enumerate(inner)))

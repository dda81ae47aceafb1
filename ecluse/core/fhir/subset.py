"""A resource with only some of its elements, and the tag that says so.

Enters: a resource in memory. Leaves: another one, with the elements of its summary, of its narrative, of its data, or
those that were named; what is mandatory and what changes the meaning of the rest stays in each.
Spec: http://hl7.org/fhir/R4/search.html#summary, http://hl7.org/fhir/R4/search.html#elements
"""

from __future__ import annotations

from collections.abc import Callable, Collection
from functools import cache
from importlib.resources import files
from typing import Any

import msgspec

from ecluse.core.fhir.definitions.structures import Element, members, structures

Cut = Callable[[dict[str, Any]], dict[str, Any]]
SUBSETTED = {"system": "http://terminology.hl7.org/CodeSystem/v3-ObservationValue", "code": "SUBSETTED"}
_ALWAYS = {"id", "meta", "implicitRules", "modifierExtension"}
_WHOLE = {"Extension", "Narrative", "Resource"}
"""What has no summary of its own."""


def summary(resource: dict[str, Any]) -> dict[str, Any]:
    """The elements that the definitions mark with Σ, at every level."""
    return _tagged(_summarised(resource["resourceType"], resource))


def text(resource: dict[str, Any]) -> dict[str, Any]:
    """The narrative, and what is mandatory."""
    return named(resource, {"text"})


def data(resource: dict[str, Any]) -> dict[str, Any]:
    """All but the narrative."""
    return _tagged({name: member for name, member in resource.items() if name != "text"})


def named(resource: dict[str, Any], names: Collection[str]) -> dict[str, Any]:
    """These elements of the outermost level. names: a choice by its name or by that of a type, "value" or
    "valueQuantity"
    """
    kept = _ALWAYS.union(names)
    return _tagged(
        _chosen(
            resource["resourceType"],
            resource,
            lambda element, name: name in kept or element.name in kept or element.required,
        )
    )


def _chosen(kind: str, value: dict[str, Any], wanted: Callable[[Element, str], bool]) -> dict[str, Any]:
    """The members of an object that are wanted; `_name` goes with `name`."""
    known = members(kind)
    found: dict[str, Any] = {}
    for key, member in value.items():
        name = key.removeprefix("_")
        if name not in known or wanted(known[name][0], name):
            found[key] = member
    return found


def _summarised(kind: str, value: dict[str, Any]) -> dict[str, Any]:
    marked = _marked().get(kind, frozenset()) | {"modifierExtension"}
    found = _chosen(kind, value, lambda element, _: element.name in marked or element.required)
    known = members(kind)
    for key, member in list(found.items()):
        if key not in known or (inside := known[key][1]) in structures().primitives or inside in _WHOLE:
            continue
        several = isinstance(member, list)
        less = [_summarised(inside, one) for one in member] if several else _summarised(inside, member)
        if all(less) if several else less:
            found[key] = less
        elif not known[key][0].required:
            del found[key]  # it had nothing but extensions; an empty object is none
    return found


def _tagged(resource: dict[str, Any]) -> dict[str, Any]:
    meta = resource.get("meta", {})
    tags = [tag for tag in meta.get("tag", []) if tag.get("code") != SUBSETTED["code"]]
    head = {name: resource[name] for name in ("resourceType", "id") if name in resource}
    return head | {"meta": {**meta, "tag": [*tags, SUBSETTED]}} | {k: v for k, v in resource.items() if k != "meta"}


@cache
def _marked() -> dict[str, frozenset[str]]:
    raw = (files("ecluse.core.fhir.definitions") / "summaries.json").read_bytes()
    types: dict[str, list[str]] = msgspec.json.decode(raw)
    return {kind: frozenset(name.removesuffix("[x]") for name in names) for kind, names in types.items()}

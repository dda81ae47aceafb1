"""A resource as it may leave to a research project.

Enters: an accepted resource of a type in rules.json, and a Context. Leaves: a new resource of the same type, valid R4,
made of what the rules let out and nothing else; or the reason why nothing of it may leave. The same for the same
resource, always.
"""

from __future__ import annotations

from typing import Any, NamedTuple

from mappers.hub.context import Context
from mappers.hub.elements import MASKED
from mappers.hub.rules import Node, rules

# http://terminology.hl7.org/CodeSystem-v3-ObservationValue.html: pseudonymised.
TAG = {"system": "http://terminology.hl7.org/CodeSystem/v3-ObservationValue", "code": "PSEUDED"}


# What says that there was a value, by the element that says it.
MASKS: dict[str, Any] = {"dataAbsentReason": {"coding": [MASKED]}, "deceasedBoolean": True}


class LeftOut(NamedTuple):
    """Nothing of the resource may leave; the reason holds no content."""

    reason: str


def pseudonymise(resource: dict[str, Any], context: Context) -> dict[str, Any] | LeftOut:
    """The resource as it may leave, or why it may not."""
    resource_type = resource["resourceType"]
    made = _walk(rules()[resource_type], resource, context)
    if isinstance(made, str):
        return LeftOut(f"{resource_type}.{made} has no value that may leave")
    pseudonym = context.pseudonym(resource_type, resource["id"])
    if pseudonym is None:
        return LeftOut("in no patient's compartment")
    head = {"resourceType": resource_type, "id": pseudonym, "meta": {"security": [TAG]}}
    return head | made


def _walk(node: Node, value: dict[str, Any], context: Context) -> dict[str, Any] | str:
    """What may leave of an object, or the name of the element without which nothing does."""
    made: dict[str, Any] = {}
    for name, action in node.actions.items():
        if name in value:
            told = value[name]
            kept = _each(action, told, context) if isinstance(told, list) else _one(action, told, context)
            if kept is not None:
                made[name] = kept
    for name in node.required:
        if name not in made:
            return name
    for name in node.modifiers:
        if name in value and name not in made:
            return name
    if node.any_of and not any(name in made for name in node.any_of):
        return node.any_of[0]
    if node.mask:
        _mask(node.mask, value, made)
    return made


def _each(action: Any, values: list[Any], context: Context) -> list[Any] | None:
    return [found for item in values if (found := _one(action, item, context)) is not None] or None


def _one(action: Any, value: Any, context: Context) -> Any:
    if not isinstance(action, Node):
        return action(value, context)
    made = _walk(action, value, context)
    return made if made and not isinstance(made, str) else None


def _mask(mask: tuple[str, str], value: dict[str, Any], made: dict[str, Any]) -> None:
    prefix, target = mask
    if target in made or any(name.startswith(prefix) for name in made):
        return
    if any(name.startswith(prefix) for name in value):
        made[target] = MASKS[target]

"""The exact acceptance of a decoded resource: a walk over the definitions that finds every problem and its fix.

Enters: a decoded JSON value. Leaves: issues, each with FHIRPath expression, fix, and what was found; none = accepted.
It decides whatever the compiled structs refuse or are unsure about.
Spec: http://hl7.org/fhir/R4/json.html
"""

from __future__ import annotations

from collections.abc import Iterator
from difflib import get_close_matches
from functools import cache
from typing import Any

import msgspec

from ecluse.core.errors import Issue
from ecluse.core.fhir.definitions.structures import Element, members, structures
from ecluse.core.fhir.json import encode
from ecluse.core.fhir.primitives import expected
from ecluse.core.fhir.scan import MOST_ISSUES, step

SHOWN = 80
_JSON_NAMES = {dict: "an object", list: "an array", str: "text", bool: "true or false", type(None): "null"}


def problems(
    resource_type: str | None, value: Any, expression: str | None = None, *, entries: bool = True
) -> list[Issue]:
    """Every problem of a decoded resource; an empty list when it is accepted.

    resource_type: what the address asks for, None for any; expression: where it stands, "Bundle.entry[3].resource"
    entries: False to pass over the resources of a bundle's entries"""
    walk = _Walk(entries)
    try:
        walk.resource(value, expression, resource_type)
    except _Full:
        text = f"Only the first {MOST_ISSUES} problems are listed."
        walk.issues.append(Issue.information(text))
    return walk.issues


class _Full(Exception):
    """There are as many issues as anyone reads."""


class _Walk:
    def __init__(self, entries: bool) -> None:
        self.entries = entries
        self.issues: list[Issue] = []

    def add(self, expression: str, text: str, found: Any = msgspec.UNSET, code: str = "structure") -> None:
        if len(self.issues) == MOST_ISSUES:
            raise _Full
        diagnostics = "" if found is msgspec.UNSET else f"found {shown(found)}"
        self.issues.append(Issue(text, expression, diagnostics, code))

    def resource(self, value: Any, place: str | None, wanted: str | None = None, *, contained: bool = False) -> None:
        """A resource at the top, in a bundle or parameter, or contained."""
        if not isinstance(value, dict):
            return self.add(place or wanted or "", f"A resource is a JSON object, not {_kind(value)}.", value)
        name = value.get("resourceType")
        place = place or (name if isinstance(name, str) else wanted) or ""
        if name is None:
            text = f'Add "resourceType": "{wanted or "..."}": every resource names its type.'
            return self.add(f"{place}.resourceType".removeprefix("."), text, value, code="required")
        if not isinstance(name, str) or name not in structures().resources:
            text = f"No FHIR R4 resource type has this name.{nearest_type(name)}"
            return self.add(f"{place}.resourceType".removeprefix("."), text, name, "value")
        if wanted and name != wanted:
            text = f"{wanted} is expected here: send {name} to its own address."
            return self.add(f"{place}.resourceType", text, name, "value")
        if contained and "contained" in value:
            text = "A contained resource cannot contain others: move them up one level."
            self.add(f"{place}.contained", text, code="invariant")
        self.members(name, {key: member for key, member in value.items() if key != "resourceType"}, place)

    def object(self, type_name: str, value: Any, place: str) -> None:
        """An object of a complex type or backbone element."""
        if not isinstance(value, dict):
            text = f"{type_name} is a JSON object with {_elements(type_name)}, not {_kind(value)}."
            return self.add(place, text, value)
        if not value:
            return self.add(place, "An object must not be empty: leave it out or give it an element.", value)
        if value.keys() == {"id"}:
            self.add(place, "An element needs a value or an extension besides its id.", value, "invariant")
        self.members(type_name, value, place)

    def members(self, type_name: str, value: dict[str, Any], place: str) -> None:
        known = members(type_name)
        for key, member in value.items():
            if found := known.get(key):
                self.member(*found, key, member, value, place)
            elif (found := known.get(key[1:])) and key[0] == "_" and _takes_sibling(*found):
                if key[1:] not in value:
                    self.member(*found, key[1:], None, value, place)
            else:
                self.add(f"{place}.{step(key)}", unknown_element(type_name, key), member)
        for element in structures().types[type_name]:
            if element.required or element.choice:
                self.count(element, value, place)

    def count(self, element: Element, value: dict[str, Any], place: str) -> None:
        """Required elements are there; of a choice there is one at most."""
        names = [name for name, _ in element.members()]
        present = [name for name in names if name in value or "_" + name in value]
        if len(present) > 1:
            self.add(f"{place}.{element.name}", f"Keep only one of {', '.join(present)}.", value)
        if element.required and not present:
            which = names[0] if len(names) == 1 else f"one of {', '.join(names)}"
            text = f"Add {which}: it is required."
            self.add(f"{place}.{element.name}", text, value, code="required")

    def member(self, element: Element, kind: str, key: str, member: Any, value: dict[str, Any], place: str) -> None:
        """One member of an object, with its `_name` sibling when it is a primitive."""
        place = f"{place}.{element.name}"
        has_sibling = "_" + key in value and _takes_sibling(element, kind)
        sibling = value.get("_" + key) if has_sibling else None
        if has_sibling and sibling is None:
            return self.add(place, f'Leave out "_{key}" when it is null.', None)
        if member is None and (key in value or not has_sibling):
            return self.add(place, f"Leave out {key} when it has no value: null is not allowed here.", None)
        if kind == "Resource" and element.name == "resource" and not self.entries:
            return
        if not element.many and isinstance(member, list):
            self.add(place, f"{key} does not repeat: write one value, without [ ].", member)
        elif not element.many:
            self.one(kind, member, sibling, place)
        else:
            self.several(element, kind, key, member, sibling, place)

    def several(self, element: Element, kind: str, key: str, member: Any, sibling: Any, place: str) -> None:
        for name, array in ((key, member), ("_" + key, sibling)):
            if array is not None and not isinstance(array, list):
                return self.add(place, f"{name} repeats, so it is an array: put the value in [ ].", array)
            if array == []:
                return self.add(place, f"An array must not be empty: leave out {name}.", array)
        if member and sibling and len(member) != len(sibling):
            text = f"{key} and _{key} must have the same length: fill the gaps with null."
            return self.add(place, text, member)
        for index in range(len(member or sibling)):
            one, beside = member and member[index], sibling and sibling[index]
            at = f"{place}[{index}]"
            if one is None and beside is None:
                self.add(at, "Leave out this item: null stands only beside an extension of a primitive.", None)
            elif element.name == "contained":
                self.resource(one, at, contained=True)
            else:
                self.one(kind, one, beside, at)

    def one(self, kind: str, value: Any, sibling: Any, place: str) -> None:
        """One value of a type, with the object that holds the id and extensions of a primitive."""
        if kind == "Resource":
            self.resource(value, place)
        elif kind not in structures().primitives:
            self.object(kind, value, place)
        else:
            if value is not None and (wanted := expected(kind, value)):
                self.add(place, f"{kind} expected: {wanted}.", value, "value")
            if sibling is not None:
                self.sibling(sibling, value is not None, place)

    def sibling(self, sibling: Any, has_value: bool, place: str) -> None:
        if isinstance(sibling, dict) and sibling and has_value:
            self.members("Element", sibling, place)
        else:
            self.object("Element", sibling, place)


def shown(value: Any) -> str:
    """A scalar as JSON, cut short; of an object its names, of an array its length."""
    if isinstance(value, dict):
        text = f"an object with {', '.join(map(step, list(value)[:10]))}" if value else "an empty object"
    elif isinstance(value, list):
        text = f"an array of {len(value)}"
    else:
        text = encode(value[: SHOWN + 1] if isinstance(value, str) else value).decode()
    return text if len(text) <= SHOWN else text[:SHOWN] + "…"


def too_deep(value: Any, most: int) -> bool:
    """Whether objects and arrays stand inside each other more than `most` times."""
    level = list(_children([[value]]))
    for _ in range(most):
        if not level:
            return False
        level = list(_children(level))
    return bool(level)


def _children(level: list[Any]) -> Iterator[Any]:
    for parent in level:
        for child in parent.values() if type(parent) is dict else parent:
            if type(child) is dict or type(child) is list:
                yield child


def _takes_sibling(element: Element, kind: str) -> bool:
    return kind in structures().primitives and not element.attribute


def _kind(value: Any) -> str:
    return _JSON_NAMES.get(type(value), "a number")


def _elements(type_name: str) -> str:
    return ", ".join(element.name + ("[x]" if element.choice else "") for element in structures().types[type_name])


@cache
def _names(type_name: str) -> tuple[str, ...]:
    return tuple(members(type_name))


def unknown_element(type_name: str, key: str) -> str:
    choice = [
        name for element in structures().types[type_name] if element.choice == key for name, _ in element.members()
    ]
    if choice:
        return f"{key} is a choice: write one of {', '.join(choice)}."
    near = get_close_matches(key[:SHOWN].lstrip("_"), _names(type_name), 3, 0.6)
    if near:
        return f"{type_name} has no element {step(key)}: did you mean {' or '.join(near)}?"
    return f"{type_name} has no element {step(key)}. Its elements are {_elements(type_name)}."


def nearest_type(name: Any) -> str:
    near = get_close_matches(name[:SHOWN], structures().resources, 1) if isinstance(name, str) else []
    return f" Did you mean {near[0]}?" if near else ""

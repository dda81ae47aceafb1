"""The paths of discriminators: a few steps of FHIRPath.

Enters: "code.coding", "resolve().code", "extension('http://…').value". Leaves: steps, and the values at their end.
Spec: http://hl7.org/fhir/R4/profiling.html#discriminator
"""

from __future__ import annotations

import re
from typing import Any, NamedTuple

from ecluse.core.fhir.definitions.structures import members, structures
from ecluse.core.fhir.validation.profiles.run import Item, Run

_STEP = re.compile(r"\s*(?:(resolve|extension|ofType|as)\(\s*'?([^')]*)'?\s*\)|(\$this)|([A-Za-z]\w*))\s*(?:\.|$)")


class Step(NamedTuple):
    """op: member, resolve, extension or type; name: of the member, url of the extension, name of the type."""

    op: str
    name: str = ""


def steps(path: str) -> tuple[Step, ...] | None:
    """The steps of a path, None when it holds what is not understood here."""
    found: list[Step] = []
    at = 0
    while at < len(path):
        match = _STEP.match(path, at)
        if match is None:
            return None
        function, argument, this, name = match.groups()
        if function:
            found.append(Step("type" if function in ("ofType", "as") else function, argument))
        elif not this:
            found.append(Step("member", name))
        at = match.end()
    return tuple(found)


def at_end(run: Run, item: Item, path: tuple[Step, ...]) -> list[Item]:
    """The items at the end of a path; a target that cannot be looked at gives none."""
    items = [item]
    for step in path:
        items = [found for one in items for found in _after(run, one, step)]
    return items


def _after(run: Run, item: Item, step: Step) -> list[Item]:
    match step.op:
        case "resolve":
            found = run.target(item.value)
            return [Item(found, None, found.get("resourceType", ""), item.place)] if found is not None else []
        case "type":
            return [item] if item.kind == step.name else []
    holder = item.value if isinstance(item.value, dict) else item.sibling
    if not isinstance(holder, dict):
        return []
    if step.op == "extension":
        extensions = holder.get("extension", ())
        return [Item(one, None, "Extension", item.place) for one in extensions if one.get("url") == step.name]
    return items_of(holder, names_of(holder.get("resourceType") or item.kind, step.name), item.place)


def names_of(type_name: str, name: str) -> tuple[tuple[str, str], ...]:
    """The JSON names under which an element of a type may stand, each with its type."""
    if type_name not in structures().types:
        return ((name, ""),)
    known = members(type_name)
    if name in known:
        return ((name, known[name][1]),)
    for element in structures().types[type_name]:
        if element.choice == name:
            return tuple(element.members())
    return ((name, ""),)


def items_of(holder: dict[str, Any], names: tuple[tuple[str, str], ...], place: str) -> list[Item]:
    """The items of an element, each with its place. place: of the holder with the element's name, without index"""
    found: list[Item] = []
    for name, kind in names:
        value, sibling = holder.get(name), holder.get("_" + name)
        if value is None and sibling is None:
            continue
        if not isinstance(value, list) and not isinstance(sibling, list):
            found.append(Item(value, sibling, _kind(kind, value), place))
            continue
        count = len(value or sibling or ())
        found.extend(_several(value or [None] * count, sibling or [None] * count, kind, place))
    return found


def _several(values: list[Any], siblings: list[Any], kind: str, place: str) -> list[Item]:
    return [
        Item(value, sibling, _kind(kind, value), f"{place}[{index}]")
        for index, (value, sibling) in enumerate(zip(values, siblings, strict=False))
    ]


def _kind(kind: str, value: Any) -> str:
    return value.get("resourceType", kind) if kind == "Resource" and isinstance(value, dict) else kind

"""The allow-list of the hub, compiled: what may leave of each resource type, and as what.

Enters: rules.json, where a line is an element and its action. Leaves: one `Node` a resource type, a tree that
`pseudonymise` walks. An action or option that is not known stops the start.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import cache
from importlib.resources import files
from typing import Any

import msgspec

from mappers.hub import elements
from mappers.hub.elements import Action

KINDS: dict[str, Action] = {
    "boolean": elements.boolean,
    "integer": elements.number,
    "quantity": elements.quantity,
    "range": elements.quantities(("low", "high"), all_of_them=False),
    "ratio": elements.quantities(("numerator", "denominator"), all_of_them=True),
}
GENERALISED: dict[str, Action] = {"birth": elements.birth, "departement": elements.departement}


class Rule(msgspec.Struct, forbid_unknown_fields=True):
    """One line of rules.json."""

    action: str = ""
    kind: str = ""
    values: str = ""
    of: str = ""
    to: str = ""
    types: str = ""
    any: str = ""
    masked: bool = False
    required: bool = False
    modifier: bool = False


@dataclass(slots=True)
class Node:
    """An element with elements inside.

    actions: what becomes of each; required: without these nothing of the node leaves; any_of: nor without one of these
    modifiers: nor without these where they were given
    mask: (prefix, element): when nothing is left of the choice `prefix[x]`, this element says that there was a value
    """

    actions: dict[str, Action | Node] = field(default_factory=dict)
    required: tuple[str, ...] = ()
    modifiers: tuple[str, ...] = ()
    any_of: tuple[str, ...] = ()
    mask: tuple[str, str] | None = None


@cache
def rules() -> Mapping[str, Node]:
    """The tree of each resource type that has a feed."""
    document: dict[str, Any] = msgspec.json.decode(files(__package__).joinpath("rules.json").read_bytes())
    return {name: compiled(lines) for name, lines in document.items() if isinstance(lines, dict)}


def compiled(lines: Mapping[str, Any]) -> Node:
    """The tree of one resource type. lines: path below the resource → rule, as in rules.json"""
    top = Node()
    for path, line in lines.items():
        *above, name = path.split(".")
        node = top
        for step in above:
            inner = node.actions.setdefault(step, Node())
            if not isinstance(inner, Node):
                raise ValueError(f"{path}: {step} has an action and elements inside")
            node = inner
        _add(node, name, msgspec.convert(line, Rule))
    return top


def _add(node: Node, name: str, rule: Rule) -> None:
    if rule.any:
        node.actions[name] = Node(any_of=tuple(rule.any.split()))
    elif rule.action == "mask":
        node.mask = (name, rule.to)
    else:
        node.actions[name] = _action(rule)
        if rule.required:
            node.required = (*node.required, name)
        if rule.modifier:
            node.modifiers = (*node.modifiers, name)


def _action(rule: Rule) -> Action:
    match rule:
        case Rule(action="keep", kind="code", values=values) if values:
            return elements.code(values)
        case Rule(action="keep", kind=kind) if kind in KINDS:
            return KINDS[kind]
        case Rule(action="coding", of="Coding", masked=masked):
            return elements.masked if masked else elements.coding
        case Rule(action="coding", of=""):
            return elements.concept
        case Rule(action="pseudonym", types=types) if types:
            return elements.reference(types)
        case Rule(action="date_shift", of="Period"):
            return elements.period
        case Rule(action="date_shift", of=""):
            return elements.shifted
        case Rule(action="generalise", to=to) if to in GENERALISED:
            return GENERALISED[to]
    raise ValueError(f"no action of this kind: {rule}")

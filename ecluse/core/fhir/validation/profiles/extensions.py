"""The extensions inside a resource, each with where it stands.

Enters: a decoded resource. Leaves: extensions in the order in which they stand, and the node of one.
Spec: http://hl7.org/fhir/R4/extensibility.html
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from ecluse.core.fhir.fhirpath.nodes import Node, by_key, resource_type

NAMES = ("extension", "modifierExtension")
Chain = tuple[Any, ...]
"""Where the walk is: (chain of the parent, JSON name, index or None). Nodes are made only of what is looked at."""


def extensions(value: dict[str, Any], chain: Chain = ()) -> Iterator[tuple[dict[str, Any], Chain]]:
    """Every extension of a resource, with the way to it."""
    for name, member in value.items():
        if type(member) is dict:
            yield from extensions(member, (chain, name, None))
        elif type(member) is list:
            for index, one in enumerate(member):
                if type(one) is dict:
                    at = (chain, name, index)
                    if name in NAMES and type(one.get("url")) is str:
                        yield one, at
                    yield from extensions(one, at)


def is_part(chain: Chain) -> bool:
    """Whether the extension at the end of a way is right inside another extension."""
    around = chain[0]
    return bool(around) and around[1] in NAMES


def node_at(top: Node, chain: Chain) -> Node:
    """The node at the end of a way. top: of the resource"""
    steps: list[tuple[str, int | None]] = []
    while chain:
        chain, name, index = chain
        steps.append((name, index))
    node = top
    for name, index in reversed(steps):
        node = _below(node, name, index)
    return node


def _below(node: Node, name: str, index: int | None) -> Node:
    [member] = by_key(node.type)[name]
    holder = node.sibling if node.member.primitive else node.value
    value, sibling = _item(holder.get(member.key), index), _item(holder.get(member.sibling), index)
    kind = resource_type(value) if member.type == "Resource" else member.type
    return Node(value, sibling, kind, node, member, -1 if index is None else index)


def _item(value: Any, index: int | None) -> Any:
    if index is None or value is None:
        return value
    return value[index] if index < len(value) else None

"""The elements of a StructureDefinition as a tree, slices beside the element that they divide.

Enters: a StructureDefinition, and for one that has no snapshot the tree of its base. Leaves: the root node. A tree says
only what is restricted, so the tree of a base type is its root alone: the snapshot of a differential is the base's tree
with the differential laid over it.
Spec: http://hl7.org/fhir/R4/elementdefinition.html#id, http://hl7.org/fhir/R4/profiling.html#snapshot
"""

from __future__ import annotations

from collections.abc import Callable
from copy import deepcopy
from typing import Any

from ecluse.core.errors import Unprocessable
from ecluse.core.fhir.definitions.structures import members, structures
from ecluse.core.fhir.validation.profiles.element import Discriminator, Node, Slicing, TypeRef, overlay

TYPE_SLICING = Slicing((Discriminator("type", "$this"),))
URL_SLICING = Slicing((Discriminator("value", "url"),))
IMPLIED = {"extension": URL_SLICING, "modifierExtension": URL_SLICING}
"""What divides an element that the definition slices without saying how."""


def tree_of(definition: dict[str, Any], base_tree: Callable[[str], Node]) -> Node:
    """The root of a definition's tree.

    base_tree: the tree of another definition, by canonical; asked only when there is no snapshot
    Raises: Unprocessable (422) when it has neither snapshot nor differential
    """
    kind = definition.get("type", "")
    snapshot = definition.get("snapshot", {}).get("element")
    elements = snapshot or definition.get("differential", {}).get("element")
    if not elements:
        raise Unprocessable(
            "The profile has neither snapshot nor differential; install a package that was built whole.",
            diagnostics=definition.get("url", ""),
        )
    root = Node(kind, kind) if snapshot else deepcopy(base_tree(definition.get("baseDefinition", "")))
    open_slices: dict[str, str] = {}
    for element in elements:
        overlay(_at(root, kind, _steps(element, open_slices)), element)
    return root


def _at(root: Node, kind: str, steps: list[str]) -> Node:
    """The node at the end of steps, made with all those above it that are not there yet."""
    node, type_name = root, kind
    for step in steps:
        name, _, sliced = step.partition(":")
        name, sliced = _unshortened(type_name, name, sliced)
        node = _child(node, name)
        for part in filter(None, sliced.split("/")):
            node = _slice(node, part, name)
        type_name = _type_of(type_name, node, name)
    return node


def _steps(element: dict[str, Any], open_slices: dict[str, str]) -> list[str]:
    """Steps below the root, by id; by path and slice name where a differential gives no id.

    open_slices: path → slice that the elements below it belong to, kept from one element to the next"""
    if element.get("id"):
        return str(element["id"]).split(".")[1:]
    path = str(element["path"])
    for one in [one for one in open_slices if f"{one}.".startswith(f"{path}.")]:
        del open_slices[one]
    if element.get("sliceName"):
        open_slices[path] = element["sliceName"]
    names = path.split(".")
    above = [".".join(names[: count + 1]) for count in range(1, len(names))]
    return [
        f"{name}:{open_slices[one]}" if one in open_slices else name for name, one in zip(names[1:], above, strict=True)
    ]


def _unshortened(type_name: str, name: str, sliced: str) -> tuple[str, str]:
    """A choice that is written with its type, valueQuantity, is the slice of value[x] of this type."""
    if name.endswith("[x]") or type_name not in structures().types:
        return name, sliced
    found = members(type_name).get(name)
    return (f"{found[0].name}[x]", sliced or name) if found and found[0].choice else (name, sliced)


def _child(node: Node, name: str) -> Node:
    if name not in node.children:
        node.children[name] = Node(f"{node.id}.{name}", name.removesuffix("[x]"), slicing=IMPLIED.get(name))
    return node.children[name]


def _slice(node: Node, part: str, name: str) -> Node:
    if part not in node.slices:
        node.slices[part] = Node(f"{node.id}:{part}", node.name)
        stem = name.removesuffix("[x]")
        kind = part[len(stem) :]
        if name.endswith("[x]"):
            node.slicing = node.slicing or TYPE_SLICING
            node.slices[part].types = _named_type(kind) if part.startswith(stem) else ()
    return node.slices[part]


def _named_type(name: str) -> tuple[TypeRef, ...]:
    """The type at the end of `valueQuantity`."""
    known = structures()
    found = next(
        (kind for kind in (name, name[:1].lower() + name[1:]) if kind in known.types or kind in known.primitives), ""
    )
    return (TypeRef(found),) if found else ()


def _type_of(parent: str, node: Node, name: str) -> str:
    """The type whose elements stand below a node, "" when that is not known."""
    backbone = f"{parent}.{name}"
    if backbone in structures().types:
        return backbone
    if node.one_type in structures().types:
        return node.one_type
    found = members(parent).get(name) if parent in structures().types else None
    return found[1] if found else ""

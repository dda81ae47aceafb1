"""One element of a profile, as the checks read it.

Enters: an ElementDefinition of a snapshot or a differential. Leaves: a `Node` that holds what it restricts, and nothing
where it restricts nothing.
Spec: http://hl7.org/fhir/R4/elementdefinition.html
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any, NamedTuple

import msgspec

MAX_VALUE_SET = "http://hl7.org/fhir/StructureDefinition/elementdefinition-maxValueSet"


class TypeRef(NamedTuple):
    """A type that an element may have: its profiles, and the profiles that a reference's target may have."""

    code: str
    profiles: tuple[str, ...] = ()
    targets: tuple[str, ...] = ()


class Binding(NamedTuple):
    """strength: required or extensible, others are dropped; at_most: the value set that no code may leave."""

    strength: str
    value_set: str
    at_most: str = ""


class Constraint(NamedTuple):
    """An invariant. source: the definition that it comes from."""

    key: str
    severity: str
    human: str
    expression: str
    source: str = ""


class Discriminator(NamedTuple):
    """What tells the slices of an element apart."""

    type: str
    path: str


class Slicing(NamedTuple):
    """How the items of an element are divided. rules: open, closed or openAtEnd"""

    discriminators: tuple[Discriminator, ...]
    rules: str = "open"
    ordered: bool = False


@dataclass(slots=True)
class Node:
    """An element with its restrictions. name: "value" for value[x]; least and most: None when not restricted;
    types: empty when any; same_as: id of the element whose content this one has"""

    id: str
    name: str
    least: int | None = None
    most: int | None = None
    types: tuple[TypeRef, ...] = ()
    fixed: Any = msgspec.UNSET
    pattern: Any = msgspec.UNSET
    binding: Binding | None = None
    longest: int | None = None
    bounds: tuple[Any, Any] = (None, None)
    constraints: dict[str, Constraint] = field(default_factory=dict)
    slicing: Slicing | None = None
    same_as: str = ""
    slices: dict[str, Node] = field(default_factory=dict)
    children: dict[str, Node] = field(default_factory=dict)

    @property
    def one_type(self) -> str:
        """The only type that the element may have, else ""."""
        return self.types[0].code if len(self.types) == 1 else ""

    @property
    def wanted(self) -> Any:
        """The fixed value, else the pattern, else UNSET."""
        return self.pattern if self.fixed is msgspec.UNSET else self.fixed


def overlay(node: Node, definition: dict[str, Any]) -> None:
    """Puts what a definition says on a node; what it does not say stays."""
    if "min" in definition:
        node.least = definition["min"]
    if "max" in definition:
        node.most = None if definition["max"] == "*" else int(definition["max"])
    if "type" in definition:
        node.types = tuple(map(_type, definition["type"]))
    if "binding" in definition:
        node.binding = _binding(definition["binding"])
    node.longest = definition.get("maxLength", node.longest)
    node.same_as = definition.get("contentReference", node.same_as).rpartition("#")[2]
    least, most = node.bounds
    node.bounds = (_prefixed(definition, "minValue", least), _prefixed(definition, "maxValue", most))
    node.fixed = _prefixed(definition, "fixed", node.fixed)
    node.pattern = _prefixed(definition, "pattern", node.pattern)
    node.constraints |= {constraint.key: constraint for constraint in _constraints(definition)}
    if "slicing" in definition:
        node.slicing = _slicing(definition["slicing"])


def _type(row: dict[str, Any]) -> TypeRef:
    return TypeRef(row.get("code", ""), tuple(row.get("profile", ())), tuple(row.get("targetProfile", ())))


def _binding(row: dict[str, Any]) -> Binding | None:
    at_most = [
        extension.get("valueCanonical", extension.get("valueUri", ""))
        for extension in row.get("extension", ())
        if extension.get("url") == MAX_VALUE_SET
    ]
    strength, value_set = row.get("strength", ""), row.get("valueSet", "")
    if at_most or (value_set and strength in ("required", "extensible")):
        return Binding(strength, value_set, at_most[0] if at_most else "")
    return None


def _prefixed(definition: dict[str, Any], prefix: str, otherwise: Any) -> Any:
    """The value of fixed[x], pattern[x] and their like."""
    for name, value in definition.items():
        if name.startswith(prefix) and name[len(prefix) : len(prefix) + 1].isupper():
            return value
    return otherwise


def _constraints(definition: dict[str, Any]) -> Iterator[Constraint]:
    for row in definition.get("constraint", ()):
        if row.get("expression"):
            yield Constraint(
                row.get("key", ""),
                row.get("severity", "error"),
                row.get("human", ""),
                row["expression"],
                row.get("source", ""),
            )


def _slicing(row: dict[str, Any]) -> Slicing:
    told = tuple(Discriminator(one.get("type", ""), one.get("path", "")) for one in row.get("discriminator", ()))
    return Slicing(told, row.get("rules", "open"), bool(row.get("ordered")))

"""The items of FHIRPath collections: elements of resources, with their type and place.

Enters: decoded resources as Écluse holds them (dicts and lists, `msgspec.Raw` for decimals, `_name` siblings of
primitives). Leaves: `Node`s, made while an expression walks down; values of the System types for what is calculated
with: str, bool, int, Decimal, Temporal, Quantity.
Spec: http://hl7.org/fhir/R4/fhirpath.html
"""

from __future__ import annotations

from collections.abc import Iterator
from decimal import Decimal
from functools import cache
from typing import Any, NamedTuple

import msgspec

from ecluse.core.fhir.definitions.structures import Element, structures
from ecluse.core.fhir.fhirpath import temporal
from ecluse.core.fhir.fhirpath.quantity import UCUM, Quantity
from ecluse.core.fhir.json import number

QUANTITIES = {"Quantity", "Age", "Count", "Distance", "Duration", "Money", "SimpleQuantity"}
_MADE_FROM = {
    **dict.fromkeys(("canonical", "url", "oid", "uuid"), "uri"),
    **dict.fromkeys(("code", "id", "markdown"), "string"),
    **dict.fromkeys(("positiveInt", "unsignedInt"), "integer"),
    **dict.fromkeys(("Age", "Count", "Distance", "Duration"), "Quantity"),
}
_RESOURCES_ONLY = {"Bundle", "Parameters", "Binary"}
"""Resources that are no DomainResource."""
_BACKBONE_TYPES = {"Timing", "Dosage", "ElementDefinition"}
"""Data types made from BackboneElement."""
_SYSTEM = {
    "boolean": "Boolean",
    "decimal": "Decimal",
    **dict.fromkeys(("integer", "positiveInt", "unsignedInt"), "Integer"),
    **dict.fromkeys(("dateTime", "instant"), "DateTime"),
    "date": "Date",
    "time": "Time",
}
_TEMPORAL = {kind: name for kind, name in _SYSTEM.items() if name in ("Date", "DateTime", "Time")}
ANY = "Any"
"""The System type that every other type, of whatever namespace, is made from."""
SYSTEM_TYPES = {*_SYSTEM.values(), "String", "Quantity", ANY}


class Member(NamedTuple):
    """Where an element stands in an object: key "valueQuantity" (its sibling "_valueQuantity", "" when it takes none)
    holds the element "value" of type "Quantity"."""

    name: str
    key: str
    sibling: str
    type: str
    many: bool
    primitive: bool


TYPE_INFO = "TypeInfo"
"""The type of what type() tells: namespace, name and baseType."""
_TYPE_INFO: dict[str, tuple[Member, ...]] = {
    name: (Member(name, name, "", "string", many=False, primitive=True),) for name in ("namespace", "name", "baseType")
}


class Node(msgspec.Struct, eq=False, gc=False):
    """One element of a resource, or the resource itself.

    value: decoded JSON, None for a primitive that has extensions only; sibling: of a primitive, the object with its id
    and extensions; type: "Patient", "Patient.contact", "HumanName", "code"; parent: the element around it;
    member: where it stands there; index: in an array, else -1"""

    value: Any
    sibling: Any
    type: str
    parent: Node | None
    member: Member
    index: int = -1

    @property
    def location(self) -> str:
        """The FHIRPath of this element: `Patient.name[0].given[1]`."""
        steps: list[str] = []
        node: Node | None = self
        while node is not None:
            steps.append(f"{node.member.name}[{node.index}]" if node.index >= 0 else node.member.name)
            node = node.parent
        return ".".join(reversed(steps))


Item = Any
"""A Node, or a value of a System type."""


def root(resource: dict[str, Any], place: str = "") -> Node:
    """The node of a resource, from where expressions start.

    place: where it stands, "Bundle.entry[3].resource"; empty: its type"""
    kind = resource_type(resource)
    return Node(resource, None, kind, None, Member(place or kind, "", "", kind, many=False, primitive=False))


def element(value: Any, type_name: str, place: str = "") -> Node:
    """The node of a value of a data type, alone: `element({"family": "a"}, "HumanName")`."""
    primitive = type_name in structures().primitives
    return Node(value, None, type_name, None, Member(place or type_name, "", "", type_name, False, primitive))


def resource_type(value: Any) -> str:
    """The type that a resource names, "Resource" when it names none of R4."""
    name = value.get("resourceType") if type(value) is dict else None
    return name if isinstance(name, str) and name in structures().resources else "Resource"


@cache
def members(type_name: str) -> dict[str, tuple[Member, ...]]:
    """The elements of a type by name, a choice with a member for each of its types; of a primitive id and extension."""
    known = structures()
    if type_name == TYPE_INFO:
        return _TYPE_INFO
    elements = known.types.get("Element" if type_name in known.primitives else type_name, ())
    return {element.name: tuple(_members(element)) for element in elements}


def _members(element: Element) -> Iterator[Member]:
    for key, kind in element.members():
        primitive = kind in structures().primitives
        sibling = f"_{key}" if primitive and not element.attribute else ""
        yield Member(element.name, key, sibling, kind, element.many, primitive)


def collect(node: Node, wanted: tuple[Member, ...], found: list[Item]) -> None:
    """Appends what stands in these members of a node."""
    holder = node.sibling if node.member.primitive else node.value
    if type(holder) is not dict:
        return
    for member in wanted:
        value = holder.get(member.key)
        if member.primitive:
            sibling = holder.get(member.sibling) if member.sibling else None
            if value is None and sibling is None:
                continue
            if not member.many:
                found.append(Node(value, sibling, member.type, node, member))
            else:
                _collect_several(node, member, value, sibling, found)
        elif value is not None:
            if not member.many:
                found.append(_complex(value, node, member, -1))
            elif type(value) is list:
                for index, one in enumerate(value):
                    found.append(_complex(one, node, member, index))


def _complex(value: Any, parent: Node, member: Member, index: int) -> Node:
    kind = resource_type(value) if member.type == "Resource" else member.type
    return Node(value, None, kind, parent, member, index)


def _collect_several(node: Node, member: Member, values: Any, siblings: Any, found: list[Item]) -> None:
    values = values if type(values) is list else []
    siblings = siblings if type(siblings) is list else []
    for index in range(max(len(values), len(siblings))):
        value = values[index] if index < len(values) else None
        sibling = siblings[index] if index < len(siblings) else None
        found.append(Node(value, sibling, member.type, node, member, index))


@cache
def by_key(type_name: str) -> dict[str, tuple[Member]]:
    """The members of a type by JSON name, also by that of the sibling."""
    every = [member for several in members(type_name).values() for member in several]
    return {name: (member,) for member in every for name in (member.key, member.sibling) if name}


def children(node: Node) -> list[Item]:
    """All elements right below a node, in the order of the resource."""
    holder = node.sibling if node.member.primitive else node.value
    found: list[Item] = []
    if type(holder) is dict:
        known = by_key(node.type)
        for name in holder:
            wanted = known.get(name)
            if wanted and (wanted[0].key == name or wanted[0].key not in holder):
                collect(node, wanted, found)
    return found


def descendants(node: Node) -> list[Item]:
    """All elements below a node, level by level."""
    found = children(node)
    for one in found:  # it grows while it is walked
        found.extend(children(one))
    return found


def system(item: Item) -> Item:
    """The value to calculate with; of a complex element, or a primitive without value, the node itself.

    Spec: http://hl7.org/fhir/R4/fhirpath.html#types"""
    if type(item) is not Node:
        return item
    value = item.value
    if type(value) is str:
        kind = _TEMPORAL.get(item.type)
        return (temporal.read(value, kind) or value) if kind else value
    if type(value) is msgspec.Raw:
        return number(value)
    if value is None or type(value) is dict:
        return _quantity(item) if item.type in QUANTITIES else item
    return Decimal(value) if item.type == "decimal" and type(value) is int else value


def _quantity(node: Node) -> Item:
    """A FHIR Quantity as System.Quantity; itself when it has no value, or one that is only a bound.

    Spec: http://hl7.org/fhir/R4/fhirpath.html#quantity"""
    value = node.value
    if type(value) is not dict or not isinstance(value.get("value"), (int, msgspec.Raw)) or "comparator" in value:
        return node
    unit = value.get("code") if value.get("system") == UCUM else value.get("unit") or value.get("code")
    unit = value.get("currency") if node.type == "Money" else unit
    return Quantity(Decimal(number(value["value"])), unit or "1")


def is_a(kind: str, wanted: str) -> bool:
    """Whether a FHIR type is the named one or made from it: `is_a("Patient", "DomainResource")`."""
    while kind and kind != wanted:
        kind = base_type(kind)
    return kind == wanted != ""


@cache
def base_type(kind: str) -> str:
    """The type that a FHIR type is made from, "" when it is none."""
    if kind in _MADE_FROM:
        return _MADE_FROM[kind]
    if kind in structures().resources:
        return "Resource" if kind in _RESOURCES_ONLY else "DomainResource"
    if kind in ("DomainResource", "Resource"):
        return "Resource" if kind == "DomainResource" else ""
    if "." in kind:
        return "BackboneElement" if kind.partition(".")[0] in structures().resources else "Element"
    if kind == "Element" or (kind not in structures().types and kind not in structures().primitives):
        return "Element" if kind == "BackboneElement" else ""
    return "BackboneElement" if kind in _BACKBONE_TYPES else "Element"


def system_type(item: Item) -> str:
    """The System type of a calculated value, or the one that a FHIR primitive converts to; "" when there is none."""
    if type(item) is Node:
        if item.member.primitive:
            return _SYSTEM.get(item.type, "String")
        return "Quantity" if item.type in QUANTITIES else ""
    kind = type(item)
    if kind is temporal.Temporal:
        return str(item.kind)
    return {str: "String", bool: "Boolean", int: "Integer", Decimal: "Decimal", Quantity: "Quantity"}.get(kind, "")


def has_type(item: Item, space: str, name: str) -> bool:
    """Whether an item is of a type. space: "FHIR", "System" or "" for either; name: "Patient", "String"

    Spec: http://hl7.org/fhirpath/N1/#types-and-reflection"""
    if name == ANY and space != "FHIR":
        return True
    if type(item) is Node:
        return space != "System" and (item.type == name or is_a(item.type, name))
    return space != "FHIR" and system_type(item) == name


def is_type_name(name: str) -> bool:
    """Whether R4 or FHIRPath has a type of this name."""
    space, _, short = name.rpartition(".")
    fhir = short in structures().types or short in structures().primitives or short in structures().resources
    fhir = fhir or short in ("Resource", "DomainResource", "BackboneElement", "Element", "SimpleQuantity")
    if space == "System":  # HL7's cases ask whether a Patient is a System.Patient: it is not
        return fhir or short in SYSTEM_TYPES
    return (fhir and space in ("", "FHIR")) or (short in SYSTEM_TYPES and space == "")


def type_info(item: Item) -> Node:
    """What type() tells of an item.

    Spec: http://hl7.org/fhirpath/N1/#reflection"""
    space, name, base = "System", system_type(item), f"System.{ANY}"
    if type(item) is Node:
        space, name, base = "FHIR", item.type, f"FHIR.{base_type(item.type)}" if base_type(item.type) else base
    return element({"namespace": space, "name": name, "baseType": base}, TYPE_INFO)

"""The structure of every R4 type, as Python values.

Enters: structures.json, read once at first use. Leaves: elements by the JSON names under which they may appear.
Spec: http://hl7.org/fhir/R4/json.html
"""

from __future__ import annotations

from functools import cache
from importlib.resources import files
from typing import Any, NamedTuple

import msgspec


class Element(NamedTuple):
    """One element of a type. `choice` is "value" for value[x], else ""; `attribute`: it takes no `_name` sibling."""

    name: str
    types: tuple[str, ...]
    required: bool
    many: bool
    targets: tuple[str, ...]
    choice: str
    attribute: bool

    def members(self) -> list[tuple[str, str]]:
        """The JSON names of the element, each with its type."""
        if not self.choice:
            return [(self.name, self.types[0])]
        return [(self.choice + kind[0].upper() + kind[1:], kind) for kind in self.types]


class Structures(NamedTuple):
    """All types: regular expressions of primitives, names of concrete resources, elements by type."""

    primitives: dict[str, str]
    resources: frozenset[str]
    types: dict[str, tuple[Element, ...]]


@cache
def structures() -> Structures:
    """The definitions of FHIR 4.0.1."""
    raw: dict[str, Any] = msgspec.json.decode((files(__package__) / "structures.json").read_bytes())
    types = {name: tuple(map(_element, rows)) for name, rows in raw["types"].items()}
    return Structures(raw["primitives"], frozenset(raw["resources"]), types)


@cache
def members(type_name: str) -> dict[str, tuple[Element, str]]:
    """Each JSON name that an object of this type may hold (without `_name` siblings), with its element and type."""
    return {name: (element, kind) for element in structures().types[type_name] for name, kind in element.members()}


def _element(row: list[Any]) -> Element:
    name, types, least, most, *targets = row
    names = tuple(types) if isinstance(types, list) else (types,)
    return Element(
        name=name.removesuffix("[x]"),
        types=tuple(kind.removeprefix("@") for kind in names),
        required=least > 0,
        many=most == "*",
        targets=tuple(targets[0]) if targets else (),
        choice=name.removesuffix("[x]") if name.endswith("[x]") else "",
        attribute=names[0].startswith("@"),
    )

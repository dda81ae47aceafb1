"""The extensions inside a resource, each with its place.

Enters: a decoded resource. Leaves: extension and FHIRPath, in the order in which they stand.
Spec: http://hl7.org/fhir/R4/extensibility.html
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from ecluse.core.fhir.definitions.structures import structures
from ecluse.core.fhir.validation.profiles.paths import names_of

NAMES = ("extension", "modifierExtension")
Chain = tuple[Any, ...]
"""Where the walk is: (chain of the parent, JSON name, index or None). A place is spelt only for what is found."""


def extensions(resource: dict[str, Any], place: str) -> Iterator[tuple[dict[str, Any], str]]:
    """Every extension of a resource. place: of the resource"""
    for extension, chain in _walk(resource, ()):
        yield extension, place + _spelt(resource, chain)


def _walk(value: dict[str, Any], chain: Chain) -> Iterator[tuple[dict[str, Any], Chain]]:
    for name, member in value.items():
        if type(member) is dict:
            yield from _walk(member, (chain, name, None))
        elif type(member) is list:
            for index, one in enumerate(member):
                if type(one) is dict:
                    at = (chain, name, index)
                    if name in NAMES and type(one.get("url")) is str:
                        yield one, at
                    yield from _walk(one, at)


def _spelt(resource: dict[str, Any], chain: Chain) -> str:
    """The steps of a chain as FHIRPath: `.name[0].extension[1]`."""
    steps: list[tuple[str, int | None]] = []
    while chain:
        chain, name, index = chain
        steps.append((name, index))
    text, kind, value = "", resource["resourceType"], resource
    for name, index in reversed(steps):
        value = value[name] if index is None else value[name][index]
        name, kind = _element(kind, name.removeprefix("_"))
        kind = value.get("resourceType", kind)
        text += f".{name}" + (f"[{index}]" if index is not None else "")
    return text


def _element(type_name: str, name: str) -> tuple[str, str]:
    """An element's name and type by its JSON name: `valueQuantity` is value, a Quantity."""
    for element in structures().types.get(type_name, ()):
        for member, kind in element.members():
            if member == name:
                return element.name, kind
    return name, names_of("Element", name)[0][1]

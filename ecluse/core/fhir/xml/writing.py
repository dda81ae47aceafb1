"""FHIR JSON as FHIR XML.

Enters: JSON of an accepted resource. Leaves: UTF-8 XML, elements in the order of their definition, each number with the
digits it came with, the narrative as it is.
Spec: http://hl7.org/fhir/R4/xml.html
"""

from __future__ import annotations

import re
from functools import cache
from typing import Any, NamedTuple

import msgspec

from ecluse.core.fhir import json
from ecluse.core.fhir.definitions.structures import members, structures
from ecluse.core.fhir.xml.narrative import in_xml

NAMESPACE = "http://hl7.org/fhir"
_HEAD = '<?xml version="1.0" encoding="UTF-8"?>'
_SPECIAL = re.compile('[\x00-\x1f&<>"\ud800-\udfff\ufffe\uffff]')
_ESCAPES = {"&": "&amp;", "<": "&lt;", ">": "&gt;", '"': "&quot;", "\t": "&#9;", "\n": "&#10;", "\r": "&#13;"}
_NOT_A_CHARACTER = "\ufffd"
"""Stands for what JSON can hold and XML cannot."""


class _Child(NamedTuple):
    """Where a member of an object stands among the elements of XML; position -1: it is an attribute."""

    position: int
    name: str
    kind: str
    many: bool


def to_xml(data: bytes | msgspec.Raw, *, pretty: bool = False) -> bytes:
    """The same resource in XML. pretty: a line for each element"""
    writer = _Writer(pretty)
    writer.resource(json.decode_exactly(data), 0, f' xmlns="{NAMESPACE}"')
    return "".join(writer.parts).encode()


class _Writer:
    def __init__(self, pretty: bool) -> None:
        self.pretty = pretty
        self.parts = [_HEAD]

    def resource(self, value: dict[str, Any], level: int, attributes: str = "") -> None:
        name = value["resourceType"]
        self.element(name, attributes, name, value, level)

    def element(self, name: str, attributes: str, kind: str, value: dict[str, Any], level: int) -> None:
        """An element with the members of an object inside."""
        start = f"{self.line(level)}<{name}{attributes}"
        place = len(self.parts)
        self.parts.append(f"{start}>")
        self.members(kind, value, level + 1)
        if len(self.parts) == place + 1:
            self.parts[place] = f"{start}/>"
        else:
            self.parts.append(f"{self.line(level)}</{name}>")

    def members(self, kind: str, value: dict[str, Any], level: int) -> None:
        known = _children(kind)
        names = {key[1:] if key[0] == "_" else key for key in value}
        if kind in structures().resources:
            names.discard("resourceType")
        for position, name, of_kind, many in sorted(known[name] for name in names):
            if position < 0:
                continue
            member, sibling = value.get(name), value.get("_" + name)
            if not many:
                self.one(name, of_kind, member, sibling, level)
                continue
            for index in range(len(member or sibling or ())):
                self.one(name, of_kind, member and member[index], sibling and sibling[index], level)

    def one(self, name: str, kind: str, value: Any, sibling: Any, level: int) -> None:
        if kind == "xhtml":
            self.parts.append(self.line(level) + in_xml(value))
        elif kind in structures().primitives:
            attributes = _attributes("Element", sibling) if sibling else ""
            if value is not None:
                attributes += f' value="{_text(value)}"'
            self.element(name, attributes, "Element", sibling or {}, level)
        elif kind == "Resource":
            self.parts.append(f"{self.line(level)}<{name}>")
            self.resource(value, level + 1)
            self.parts.append(f"{self.line(level)}</{name}>")
        else:
            self.element(name, _attributes(kind, value), kind, value, level)

    def line(self, level: int) -> str:
        return "\n" + "  " * level if self.pretty else ""


@cache
def _children(kind: str) -> dict[str, _Child]:
    """The members of a type as XML has them. The id of a resource is an element, that of anything else an attribute."""
    resource = kind in structures().resources
    return {
        name: _Child(
            -1 if element.attribute and not resource and of_kind != "xhtml" else position, name, of_kind, element.many
        )
        for position, (name, (element, of_kind)) in enumerate(members(kind).items())
    }


def _attributes(kind: str, value: dict[str, Any]) -> str:
    identity = f' id="{_text(value["id"])}"' if "id" in value else ""
    return f'{identity} url="{_text(value["url"])}"' if kind == "Extension" and "url" in value else identity


def _text(value: Any) -> str:
    """A primitive as the text of an attribute."""
    if isinstance(value, str):
        return _SPECIAL.sub(_escaped, value) if _SPECIAL.search(value) else value
    if isinstance(value, bool):
        return "true" if value else "false"
    return bytes(value).decode() if isinstance(value, msgspec.Raw) else str(value)


def _escaped(found: re.Match[str]) -> str:
    return _ESCAPES.get(found[0], _NOT_A_CHARACTER)

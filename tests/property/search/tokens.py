"""Codes, identifiers and references: what a resource says, and whether a query means it.

Enters: a value of a resource and the text of a query. Leaves: whether they match. Codes are compared letter by letter,
those of code systems that say so and elements that are plain strings without case.
Spec: http://hl7.org/fhir/R4/search.html#token, http://hl7.org/fhir/R4/search.html#reference
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Any, NamedTuple

from tests.property.search.definitions import Value
from tests.property.search.pools import CASELESS
from tests.property.search.texts import folded, parts, plain

_LOCAL = re.compile(r"([A-Z][A-Za-z]+)/([A-Za-z0-9.-]{1,64})(?:/_history/[A-Za-z0-9.-]+)?")


class Code(NamedTuple):
    """A code with its system, "" for none; implied: the system of the value set that a plain code comes from; caseless:
    a plain string, or of a code system in which case does not count."""

    system: str
    code: str
    implied: str = ""
    caseless: bool = False

    def says(self, text: str) -> bool:
        return self.code.casefold() == text.casefold() if self.caseless else self.code == text


def codes(value: Value, implied: str = "") -> Iterator[Code]:
    """The codes of a value of any type that a token parameter reads."""
    data = value.data
    match value.type:
        case "boolean":
            yield Code("", "true" if data else "false")
        case "CodeableConcept":
            yield from map(_coded, data.get("coding", ()))
        case "Coding":
            yield _coded(data)
        case "Identifier":
            yield Code(data.get("system", ""), data.get("value", ""))
        case "ContactPoint":
            yield Code("", data.get("value", ""))
        case _ if isinstance(data, str):
            yield Code("", data, implied, value.type == "string")


def _coded(coding: dict[str, Any]) -> Code:
    system = coding.get("system", "")
    return Code(system, coding.get("code", ""), caseless=system == CASELESS)


def has_code(found: Code, asked: str) -> bool:
    """Whether `code`, `system|code`, `|code` or `system|` means this code."""
    system, *rest = [plain(part) for part in parts(asked, "|")]
    if not rest:
        return system != "" and (found.code == system if found.system else found.says(system))
    (code,) = rest
    same_system = system in (found.system, found.implied) if system else not found.system
    return same_system and (not code or found.says(code)) and (found.code, found.system) != ("", "")


def labels(value: Value) -> Iterator[str]:
    """The texts of a coded value: of the concept, of its codings, of an identifier's type."""
    data = value.data
    match value.type:
        case "CodeableConcept":
            yield from [data["text"]] if "text" in data else []
            yield from (coding["display"] for coding in data.get("coding", ()) if "display" in coding)
        case "Coding":
            yield from [data["display"]] if "display" in data else []
        case "Identifier":
            yield from [data["type"]["text"]] if "text" in data.get("type", {}) else []


def has_label(value: Value, asked: str) -> bool:
    """Whether one of the texts begins with what is asked for."""
    return any(folded(label).startswith(folded(plain(asked))) for label in labels(value))


def is_of_type(value: Value, asked: str) -> bool:
    """Whether an identifier has this `system|code` as its type, and this value."""
    system, code, text = (plain(part) for part in parts(asked, "|"))
    kinds = value.data.get("type", {}).get("coding", ()) if value.type == "Identifier" else ()
    return any(
        (kind.get("system"), kind.get("code"), value.data.get("value")) == (system, code, text) for kind in kinds
    )


class Target(NamedTuple):
    """Where a reference leads: to a type and an id of this server, or, with type "", to an address."""

    type: str
    id: str


def target(value: Value) -> Target | None:
    """Where a reference or a canonical address leads; None for what is contained, and for what has no address."""
    text: Any = value.data.get("reference", "") if isinstance(value.data, dict) else value.data
    if not text or text.startswith("#"):
        return None
    local = _LOCAL.fullmatch(text) if value.type == "Reference" else None
    return Target(*local.groups()) if local else Target("", text)


def leads_to(found: Target, asked: str, allowed: tuple[str, ...], base: str) -> bool:
    """Whether `id`, `Type/id` or an address means this target. allowed: the types that a bare id may be of"""
    wanted = plain(asked)
    if found.type == "":
        return wanted in (found.id, found.id.partition("|")[0]) or f"{base}/{wanted}" == found.id
    if "/" in wanted:
        return wanted.removeprefix(f"{base}/") == f"{found.type}/{found.id}"
    return wanted == found.id and (not allowed or found.type in allowed)

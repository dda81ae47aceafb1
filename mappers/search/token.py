"""Token parameters: codes, identifiers, booleans.

Enters: a value of a resource, or the text of a query. Leaves: rows, or the same codes and keys to look for. What people
read of a code stands among the strings, under the same path, for `:text`; an identifier that has a type has a row for
it, for `:of-type`. Codes are indexed as they are written: two identifiers that differ in case are two identifiers.
Which other spellings a code of a system without case has is found out when it is asked for. Elements that are plain
strings are compared without case.
Spec: http://hl7.org/fhir/R4/search.html#token
"""

from __future__ import annotations

from functools import lru_cache
from hashlib import blake2b
from typing import Any

from ecluse.core.fhir.definitions.indexed import ends_of
from mappers.search import string
from mappers.search.question import InSet, Question, Subsumed, Token, Under, Value, parts, plain, refused
from mappers.search.rows import LONGEST, OF_TYPE, IndexRows, Reader, Visit, limited

normalise = limited
"""The code as the index holds it."""


def system_key(url: str) -> int:
    """The signed 64-bit number that stands for a system in the index; 0 is no system."""
    return _remembered_key(url) if len(url) <= LONGEST else _key(url)


def _key(url: str) -> int:
    return int.from_bytes(blake2b(url.encode(), digest_size=8).digest(), "big", signed=True)


_remembered_key = lru_cache(maxsize=4096)(_key)


def _text(path: int) -> Visit:
    def visit(value: str, rows: IndexRows) -> None:
        rows[0].append((path, 0, 0, value if len(value) <= LONGEST else limited(value)))

    return visit


def _string(path: int) -> Visit:
    def visit(value: str, rows: IndexRows) -> None:
        rows[0].append((path, 0, 0, caseless(value)))

    return visit


def caseless(text: str) -> str:
    """A plain string as the index holds it."""
    return normalise(text.casefold())


def _boolean(path: int) -> Visit:
    def visit(value: bool, rows: IndexRows) -> None:
        rows[0].append((path, 0, 0, "true" if value else "false"))

    return visit


def _coded(member: str) -> Reader:
    """A reader of an object with a system and a member that holds the code."""

    def reader(path: int) -> Visit:
        def visit(value: dict[str, Any], rows: IndexRows) -> None:
            code, system = value.get(member), value.get("system")
            if code is not None or system is not None:
                rows[0].append((path, 0, system_key(system) if system else 0, normalise(code or "")))

        return visit

    return reader


_plain_coding = _coded("code")
plain_identifier = _coded("value")
"""Reads system and value of an identifier, not its type."""


def _coding(path: int) -> Visit:
    coding = _plain_coding(path)

    def visit(value: dict[str, Any], rows: IndexRows) -> None:
        coding(value, rows)
        if display := value.get("display"):
            rows[2].append((path, string.normalise(display), ""))

    return visit


def _concept(path: int) -> Visit:
    coding = _coding(path)

    def visit(value: dict[str, Any], rows: IndexRows) -> None:
        for one in value.get("coding", ()):
            coding(one, rows)
        if text := value.get("text"):
            rows[2].append((path, string.normalise(text), ""))

    return visit


def _identifier(path: int) -> Visit:
    identifier = plain_identifier(path)

    def visit(value: dict[str, Any], rows: IndexRows) -> None:
        identifier(value, rows)
        if (kind := value.get("type")) is None:
            return
        if text := kind.get("text"):
            rows[2].append((path, string.normalise(text), ""))
        if (own := value.get("value")) is not None:
            for coding in kind.get("coding", ()):
                system, code = coding.get("system"), coding.get("code")
                if system and code:
                    rows[0].append((path, OF_TYPE, of_type_key(system, code), normalise(own)))

    return visit


def _contact_point(path: int) -> Visit:
    def visit(value: dict[str, Any], rows: IndexRows) -> None:
        if (text := value.get("value")) is not None:
            rows[0].append((path, 0, 0, normalise(text)))

    return visit


READERS: dict[str, Reader] = {
    "Coding": _coding,
    "CodeableConcept": _concept,
    "Identifier": _identifier,
    "ContactPoint": _contact_point,
    "boolean": _boolean,
    "code": _text,
    "string": _string,
    "id": _text,
    "uri": _text,
}


def asked(text: str, question: Question) -> list[Value]:
    """What `code`, `system|code`, `|code` or `system|` looks for.

    A plain code of a resource has no system of its own: the one of its value set is taken as none. A plain string is
    looked for without case.
    Raises: BadRequest (400) when there is more than one bar, or nothing"""
    system, *codes = map(plain, parts(text, "|"))
    if not codes:
        system, codes = "", [system]
        keys: list[int | None] = [None]
    else:
        keys = [system_key(system) if system else 0]
        if system and any(system in path.systems for path in question.paths):
            keys.append(0)
    if len(codes) != 1 or not (system or codes[0]):
        raise refused(question, text, "write code, system|code, |code or system|, and \\| for a bar inside them.")
    kinds = {end.kind for path in question.paths for end in ends_of(path)}
    address = system if system and kinds & _OF_SYSTEMS and has_case(codes[0]) else ""
    found: list[Value] = [Token(key, normalise(codes[0]) if codes[0] else None, address if key else "") for key in keys]
    if codes[0] and "string" in kinds:
        found += [Token(key, caseless(codes[0])) for key in keys if not key]
    return found


_OF_SYSTEMS = {"Coding", "CodeableConcept"}
"""The data types whose `system` is a code system."""


def has_case(code: str) -> bool:
    """Whether a code that stands in the index as it is written may be written otherwise."""
    return code.lower() != code.upper() and len(code) <= LONGEST


def of_type_key(system: str, code: str) -> int:
    """What stands for the system of an identifier that is looked for by its type."""
    return system_key(f"{system}|{code}")


def asked_of_type(text: str, question: Question) -> list[Value]:
    """The identifier of a type, `system|code|value` with `:of-type`; all three are needed.

    Raises: BadRequest (400) when one is not there"""
    found = tuple(map(plain, parts(text, "|")))
    if len(found) != 3 or not all(found):
        raise refused(question, text, "write the type's system|code and the identifier's value: system|code|value.")
    system, code, value = found
    return [Token(of_type_key(system, code), normalise(value))]


def asked_in(text: str, question: Question) -> list[Value]:
    """The value set that codes are looked for in, by its address or by `ValueSet/id`.

    Raises: BadRequest (400) when there is none"""
    address = plain(text)
    if not address:
        raise refused(question, text, "write the address of a value set, or ValueSet/id.")
    return [InSet(address.removeprefix(f"{question.base}/") if question.base else address, _implied(question))]


def _implied(question: Question) -> tuple[str, ...]:
    return tuple(system for path in question.paths for system in path.systems)


def asked_above(text: str, question: Question) -> list[Value]:
    """The code that others subsume, `system|code`."""
    return _subsumed(text, question, above=True)


def asked_below(text: str, question: Question) -> list[Value]:
    """The code that subsumes others, `system|code`; of media types the one that others add parameters to.

    Spec: http://hl7.org/fhir/R4/search.html#mimetype"""
    if text and len(parts(text, "|")) == 1 and all(path.text.endswith(_MEDIA_TYPE) for path in question.paths):
        return [Under(normalise(plain(text)), signs=(";", " "))]
    return _subsumed(text, question, above=False)


_MEDIA_TYPE = ".contentType"


def _subsumed(text: str, question: Question, *, above: bool) -> list[Value]:
    """Raises: BadRequest (400) when system or code is not there"""
    system, *codes = map(plain, parts(text, "|"))
    if len(codes) != 1 or not (system and codes[0]):
        raise refused(question, text, "write system|code; the hierarchy is that of the code system.")
    return [Subsumed(above, system, codes[0], _implied(question))]

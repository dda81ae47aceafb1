"""The codes of R4's own value sets, without a database.

Enters: value_sets.json.gz, read once at first use. Leaves: whether a code is in a value set, None where R4's own
definitions do not tell: the value set is another publisher's, or made of SNOMED CT, LOINC, UCUM.
Spec: http://hl7.org/fhir/R4/terminologies-valuesets.html
"""

from __future__ import annotations

import gzip
import re
from collections.abc import Mapping
from functools import cache
from importlib.resources import files

import msgspec

_NAME = r"[A-Za-z0-9!#$&^_.+-]{1,127}"
GRAMMARS: dict[str, tuple[str, re.Pattern[str]]] = {
    "http://hl7.org/fhir/ValueSet/mimetypes": (
        "urn:ietf:bcp:13",
        re.compile(rf"json|xml|ttl|{_NAME}/{_NAME}(?:\s*;\s*{_NAME}=(?:[^;\"]+|\"[^\"]*\"))*"),
    ),
    "http://hl7.org/fhir/ValueSet/all-languages": (
        "urn:ietf:bcp:47",
        re.compile(r"(?:[A-Za-z]{2,8}|[ix])(?:-[A-Za-z0-9]{1,8})*"),
    ),
}
"""Value sets whose codes are a language and no list; `json`, `xml` and `ttl` are FHIR's own short names of its formats.
https://www.rfc-editor.org/rfc/rfc6838#section-4.2,
https://www.rfc-editor.org/rfc/rfc5646#section-2.1"""

Codes = Mapping[str, frozenset[str]]
"""Address of a code system → the codes it gives to a value set."""


class _File(msgspec.Struct):
    systems: dict[str, frozenset[str]]
    value_sets: dict[str, dict[str, str | frozenset[str]]]


@cache
def _file() -> _File:
    packed = (files(__package__) / "value_sets.json.gz").read_bytes()
    return msgspec.json.decode(gzip.decompress(packed), type=_File)


@cache
def codes_of(value_set: str) -> Codes | None:
    """The codes of one of R4's value sets, None when they cannot be told here.

    value_set: its address, with or without `|version`"""
    own = _file().value_sets.get(value_set.partition("|")[0])
    if own is None:
        return None
    return {system: _file().systems[system] if isinstance(codes, str) else codes for system, codes in own.items()}


def is_member(value_set: str, code: str, system: str | None = None) -> bool | None:
    """Whether the code is in the value set, None when that cannot be told here.

    system: None for an element of type code, which has none"""
    grammar = GRAMMARS.get(value_set.partition("|")[0])
    if grammar is not None:
        return system in (None, grammar[0]) and grammar[1].fullmatch(code) is not None
    codes = codes_of(value_set)
    if codes is None:
        return None
    if system is None:
        return any(code in own for own in codes.values())
    return code in codes.get(system, frozenset())

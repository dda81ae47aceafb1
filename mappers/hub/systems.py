"""Which codes and units may leave.

Enters: a system and a code, or a unit. Leaves: whether the code is one of that system and not a text in its place; the
unit in UCUM. Data: systems.json.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from functools import cache, lru_cache
from importlib.resources import files
from typing import Any

import msgspec

DATA: dict[str, Any] = msgspec.json.decode(files(__package__).joinpath("systems.json").read_bytes())
UCUM = "http://unitsofmeasure.org"

_listed = {system: frozenset(codes.split()) for system, codes in DATA["listed"].items()}
_identifying = {(system, code) for system, codes in DATA["identifying"].items() for code in codes.split()}
_aliases: dict[str, str] = DATA["ucum"]["aliases"]
_annotations = frozenset(DATA["ucum"]["annotations"].split())
_ANNOTATION = re.compile(r"(^|[./])?(\{[^{}]*\})")


def known(system: str, code: str, added: Mapping[str, str]) -> bool:
    """Whether a code may leave. added: systems of the project, with the form of their codes"""
    return _known(system, code) or (system in added and _has_form(code, added[system]))


@lru_cache(maxsize=8192)
def _known(system: str, code: str) -> bool:
    form = DATA["patterns"].get(system)
    return code in _listed.get(system, ()) or (form is not None and _has_form(code, form))


def _has_form(code: str, form: str) -> bool:
    return _pattern(form).fullmatch(code) is not None


def identifying(coding: dict[str, Any]) -> bool:
    """Whether a code says that the value is a birth date or an age, which leave in Patient.birthDate only."""
    return (coding.get("system"), coding.get("code")) in _identifying


@cache
def _pattern(form: str) -> re.Pattern[str]:
    return re.compile(form, re.ASCII)


def unit(quantity: dict[str, Any]) -> str | None:
    """The UCUM code of a quantity, from its code or from a unit text that is one or is spelt in a known way."""
    told = _ucum(quantity["code"]) if quantity.get("system") == UCUM and "code" in quantity else None
    return told or _ucum(quantity.get("unit", ""))


@cache
def _units() -> re.Pattern[str]:
    ucum = DATA["ucum"]
    atoms = "|".join(re.escape(atom) for atom in sorted(ucum["atoms"].split(), key=len, reverse=True))
    prefixes = "|".join(sorted(ucum["prefixes"].split(), key=len, reverse=True))
    notes = "|".join(map(re.escape, sorted(_annotations)))
    factor = rf"(?:(?:(?:{prefixes})?(?:{atoms})(?:[+-]?\d)?|10[*^]-?\d{{1,2}}|\d{{1,3}})(?:{notes})?|(?:{notes}))"
    return re.compile(rf"/?{factor}(?:[./]{factor}){{0,5}}", re.ASCII)


@lru_cache(maxsize=2048)
def _ucum(text: str) -> str | None:
    text = _ANNOTATION.sub(_annotation, _aliases.get(text, text))
    return text if _units().fullmatch(text) else None


def _annotation(match: re.Match[str]) -> str:
    """An annotation is free text; one that is not known is worth 1, which is what UCUM says all of them are."""
    before, note = match.group(1), match.group(2)
    if note in _annotations:
        return match.group(0)
    return "" if before is None else f"{before}1"

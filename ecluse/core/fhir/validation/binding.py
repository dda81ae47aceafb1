"""Codes against the value sets that they must come from.

Enters: an element with a required binding. Leaves: "" or what to write instead.
Spec: http://hl7.org/fhir/R4/terminologies.html#required
"""

from __future__ import annotations

from collections.abc import Iterator
from difflib import get_close_matches
from functools import cache
from typing import Any

from ecluse.core.fhir.definitions.value_sets import GRAMMARS, codes_of, is_member
from ecluse.core.fhir.fhirpath.quantity import UCUM

UNITS = "http://hl7.org/fhir/ValueSet/ucum-units"
MOST_NAMED = 30
"""Codes that a message lists; of longer value sets it names the nearest ones."""


def misfit(value: Any, value_set: str) -> str:
    """What to write instead of a code, Coding or CodeableConcept; "" when it is in the value set, or that cannot be
    told."""
    if isinstance(value, str):
        told = is_member(value_set, value) is False
        return f"{_wish(value_set)}.{_hint(value_set, value)}" if told else ""
    if not isinstance(value, dict) or _unknown(value_set):
        return ""
    codings = value.get("coding", [value] if "code" in value else [])
    codings = [coding for coding in codings if isinstance(coding, dict)] if isinstance(codings, list) else []
    if not codings:
        return "" if "extension" in value else f"Add a coding. {_wish(value_set)}{_with_system(value_set)}."
    if any(_is_in(value_set, coding) is not False for coding in codings):
        return ""
    return f"{_wish(value_set)}{_with_system(value_set)}.{_hint(value_set, codings[0].get('code'))}"


def _is_in(value_set: str, coding: dict[str, Any]) -> bool | None:
    system, code = coding.get("system"), coding.get("code")
    if value_set == UNITS:
        return system == UCUM
    if not isinstance(code, str) or not isinstance(system, str):
        return False
    return is_member(value_set, code, system)


def _unknown(value_set: str) -> bool:
    return value_set != UNITS and value_set not in GRAMMARS and codes_of(value_set) is None


def _wish(value_set: str) -> str:
    codes = _codes(value_set)
    if 0 < len(codes) <= MOST_NAMED:
        return f"Use one of {', '.join(codes)}"
    return "Use a unit of UCUM" if value_set == UNITS else f"Use a code of {value_set}{_EXAMPLES.get(value_set, '')}"


def _hint(value_set: str, code: Any) -> str:
    near = get_close_matches(code[:80], _codes(value_set), 2, 0.6) if isinstance(code, str) else []
    return f" Did you mean {' or '.join(near)}?" if near else ""


def _with_system(value_set: str) -> str:
    systems = UCUM if value_set == UNITS else " or ".join(codes_of(value_set) or {})
    return f", with the system {systems}" if systems else ""


_EXAMPLES = {
    "http://hl7.org/fhir/ValueSet/mimetypes": ", such as application/pdf",
    "http://hl7.org/fhir/ValueSet/all-languages": ", such as fr or fr-FR",
}


@cache
def _codes(value_set: str) -> tuple[str, ...]:
    return tuple(sorted(_each(value_set)))


def _each(value_set: str) -> Iterator[str]:
    for codes in (codes_of(value_set) or {}).values():
        yield from codes

"""The invariants and bindings of R4, as Python values.

Enters: rules.json, read once at first use. Leaves: rules by type or element, compiled; value sets by element.
Spec: http://hl7.org/fhir/R4/validation.html
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from functools import cache
from importlib.resources import files
from typing import Any, NamedTuple

import msgspec

from ecluse.core.fhir.fhirpath.expression import Expression, compile
from ecluse.core.fhir.fhirpath.presence import Presence, presence


class Rule(NamedTuple):
    """One invariant: "pat-1", "error" or "warning", what it asks for in words, the condition.

    told: whether an object meets it, where that can be told without evaluating"""

    key: str
    severity: str
    text: str
    condition: Expression
    told: Presence


@cache
def _file() -> dict[str, Any]:
    raw: dict[str, Any] = msgspec.json.decode((files(__package__) / "rules.json").read_bytes())
    return raw


@cache
def rules_of(path: str) -> tuple[Rule, ...]:
    """The rules of a type, "Period", "Patient.contact", or of an element, "Narrative.div"."""
    return tuple(_rule(path, *row) for row in _file()["invariants"].get(path, ()))


def value_set_of(path: str) -> str:
    """The value set that an element must take its codes from, "" when it may take others."""
    return str(_file()["bindings"].get(path, ""))


class Wish(NamedTuple):
    """A value set that an element should take its codes from. strength: "extensible" or "preferred" """

    strength: str
    value_set: str


def wish_of(path: str) -> Wish | None:
    """What an element should take its codes from, None when nothing is said, or it must take them from there."""
    for strength in ("extensible", "preferred"):
        if path in _file()[strength]:
            return Wish(strength, _file()[strength][path])
    return None


def _rule(path: str, key: str, severity: str, text: str, expression: str) -> Rule:
    told = _TOLD.get(key) or presence(expression, "Patient" if path == "DomainResource" else path)
    return Rule(key, severity, text, compile(expression), told)


def _is_no_fragment(value: Mapping[str, Any]) -> bool | None:
    """ref-1 is about references to contained resources."""
    link = value.get("reference")
    return None if isinstance(link, str) and link.startswith("#") else True


def _is_in_order(value: Mapping[str, Any]) -> bool | None:
    """per-1, for the usual ways to write dates: of the same length and zone they sort as text."""
    start, end = value.get("start"), value.get("end")
    if not (isinstance(start, str) and isinstance(end, str)):
        return True
    return True if len(start) == len(end) and start[19:] == end[19:] and start <= end else None


def _refers_to_all_it_contains(value: Mapping[str, Any]) -> bool | None:
    """dom-3, when a Reference leads to each contained resource."""
    if "contained" not in value:
        return True
    if not isinstance(value["contained"], list):
        return None
    links: set[str] = set()
    _links(value, links)
    named = (type(one) is dict and f"#{one.get('id')}" in links for one in value["contained"])
    return True if all(named) else None


def _links(value: Any, found: set[str]) -> None:
    """Adds the text of every member `reference` below, and what narratives show of contained resources."""
    if type(value) is list:
        for item in value:
            _links(item, found)
    elif type(value) is dict:
        for name, member in value.items():
            if type(member) is not str:
                _links(member, found)
            elif name == "reference":
                found.add(member)
            elif name == "div":
                found.update(_TO_CONTAINED.findall(member))


def _is_over_when_it_abated(value: Mapping[str, Any]) -> bool | None:
    """con-4, when the Condition did not abate, or has a clinical status that says so."""
    if not any(name.startswith(("abatement", "_abatement")) for name in value):
        return True
    codes = _codes(value, "clinicalStatus", _CLINICAL)
    return True if codes is not None and codes & {"resolved", "remission", "inactive"} else None


def _has_no_status_in_error(system: str) -> Presence:
    """con-5 and ait-2, when there is no clinical status, or a verification status that was not entered in error."""

    def told(value: Mapping[str, Any]) -> bool | None:
        if "clinicalStatus" not in value:
            return True
        codes = _codes(value, "verificationStatus", system)
        return True if codes is not None and "entered-in-error" not in codes else None

    return told


def _codes(value: Mapping[str, Any], name: str, system: str) -> set[str] | None:
    """The codes that a CodeableConcept has of a system, None when it is no CodeableConcept."""
    concept = value.get(name, {})
    codings = concept.get("coding", []) if type(concept) is dict else None
    if type(codings) is not list or any(type(one) is not dict for one in codings):
        return None
    return {str(one.get("code")) for one in codings if one.get("system") == system}


def _has_no_negative_period(value: Mapping[str, Any]) -> bool | None:
    """tim-5, for a period that is a number."""
    period = value.get("period", 0)
    return True if isinstance(period, int | msgspec.Raw) and not str(period).startswith("-") else None


_TO_CONTAINED = re.compile(r"""(?:src|href)\s*=\s*["'](#[^"']+)""")
_CLINICAL = "http://terminology.hl7.org/CodeSystem/condition-clinical"
_TOLD: dict[str, Presence] = {
    "con-4": _is_over_when_it_abated,
    "con-5": _has_no_status_in_error("http://terminology.hl7.org/CodeSystem/condition-ver-status"),
    "ait-2": _has_no_status_in_error("http://terminology.hl7.org/CodeSystem/allergyintolerance-verification"),
    "tim-5": _has_no_negative_period,
    "dom-3": _refers_to_all_it_contains,
    "ref-1": _is_no_fragment,
    "per-1": _is_in_order,
}

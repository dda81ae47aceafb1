"""Whether a resource belongs into a project's feed at all, before any of it is looked at.

Enters: a resource and the project's start. Leaves: the reason why it stays out, "" when it is in. Dates are the true
ones. The clinical date that counts is

    Encounter     its end, its start while it lasts
    Condition     the day on which it was recorded, else began
    Observation   the moment it is about, else was issued
    Patient       none: always in

and a resource whose date lies wholly before the project's start is out.
"""

from __future__ import annotations

from datetime import date
from typing import Any

from mappers.hub.dates import last_day
from mappers.hub.systems import identifying

MODIFIED = "unknown modifierExtension or implicitRules"
NO_PATIENT = "in no patient's compartment"
UNDATED = "without a clinical date"
EARLY = "before the project's start"
ABOUT_ANOTHER = "about another than its subject"
IDENTIFYING = "the code says birth date or age"


def left_out(resource: dict[str, Any], patient: str | None, start: date) -> str:
    """Why a resource stays out of a feed. patient: in whose compartment it is; start: the project's"""
    if "implicitRules" in resource or _modified(resource):
        return MODIFIED
    if not patient:
        return NO_PATIENT
    if "focus" in resource:
        return ABOUT_ANOTHER
    if _identifies(resource) or any(_identifies(component) for component in resource.get("component", ())):
        return IDENTIFYING
    if resource["resourceType"] == "Patient":
        return ""
    told = clinical_date(resource)
    if told is None:
        return UNDATED
    return EARLY if last_day(told) < start.isoformat() else ""


def clinical_date(resource: dict[str, Any]) -> str | None:
    """The FHIR date by which a resource is in a project's time or not."""
    match resource["resourceType"]:
        case "Encounter":
            return _end(resource.get("period"))
        case "Condition":
            onset = resource.get("onsetDateTime") or _start(resource.get("onsetPeriod"))
            return resource.get("recordedDate") or onset
        case _:
            effective = resource.get("effectiveDateTime") or resource.get("effectiveInstant")
            return effective or _end(resource.get("effectivePeriod")) or resource.get("issued")


def _start(period: dict[str, Any] | None) -> str | None:
    return (period or {}).get("start") or (period or {}).get("end")


def _end(period: dict[str, Any] | None) -> str | None:
    return (period or {}).get("end") or (period or {}).get("start")


def _identifies(element: dict[str, Any]) -> bool:
    """Whether a coding says that a resource or a component is about a birth date or an age."""
    return any(map(identifying, (element.get("code") or {}).get("coding", ())))


def _modified(element: dict[str, Any]) -> bool:
    """Whether something inside changes the meaning of the rest; contained resources never leave."""
    if "modifierExtension" in element:
        return True
    for name, value in element.items():
        if isinstance(value, dict):
            if _modified(value):
                return True
        elif isinstance(value, list) and name != "contained":
            for item in value:
                if isinstance(item, dict) and _modified(item):
                    return True
    return False

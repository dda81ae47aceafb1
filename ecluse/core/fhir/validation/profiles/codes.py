"""The codes of an element that is bound to a value set.

Enters: an item of type code, Coding, CodeableConcept, Quantity, string or uri. Leaves: its codes with their systems.
Spec: http://hl7.org/fhir/R4/terminologies.html#4.1
"""

from __future__ import annotations

from typing import Any

from ecluse.core.fhir.validation.profiles.run import Item
from ecluse.core.fhir.validation.profiles.value_sets import Coded


def codes_of(item: Item) -> list[Coded]:
    """All codes of an item, in their order."""
    value = item.value
    if isinstance(value, str):
        return [Coded(None, value)]
    if not isinstance(value, dict):
        return []
    if "coding" in value:
        return [coded for coding in value["coding"] if (coded := _coded(coding)) is not None]
    coded = _coded(value)
    return [] if coded is None else [coded]


def _coded(coding: Any) -> Coded | None:
    """A coding without system is of no system, which no value set has."""
    if not isinstance(coding, dict) or not isinstance(coding.get("code"), str):
        return None
    return Coded(coding.get("system", ""), coding["code"])

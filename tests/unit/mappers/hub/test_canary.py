"""A person who is named wherever FHIR has room is named nowhere in what leaves."""

from __future__ import annotations

from typing import Any

import pytest

from ecluse.core.fhir import json
from ecluse.core.fhir.acceptance import accept
from mappers.hub.pseudonymise import pseudonymise
from mappers.hub.rules import rules
from tests.unit.mappers.hub.canary import WORDS, resource
from tests.unit.mappers.hub.given import context

LOINC = {"system": "http://loinc.org", "code": "2823-3", "display": "KERVADEC"}
NEEDED: dict[str, dict[str, Any]] = {
    "Patient": {},
    "Encounter": {"status": "finished"},
    "Condition": {"clinicalStatus": None, "verificationStatus": None},
    "Observation": {"status": "final"},
}
"""What has to be right for anything to leave at all."""


def canary(resource_type: str, variant: int) -> dict[str, Any]:
    """The canary, mended where it would be left out whole."""
    made = resource(resource_type, variant)
    if resource_type != "Patient":
        made["subject"] |= {"reference": "Patient/r1"}
    if "code" in made:
        made["code"]["coding"].append(LOINC)
    return {name: value for name, value in (made | NEEDED[resource_type]).items() if value is not None}


@pytest.mark.parametrize("resource_type", rules())
@pytest.mark.parametrize("variant", range(12))
def test_a_person_named_everywhere_is_named_nowhere(resource_type: str, variant: int) -> None:
    given = canary(resource_type, variant)
    text = json.encode(given).decode()
    assert accept(resource_type, text.encode())
    assert [word for word in WORDS[:-1] if word not in text] == []
    made = pseudonymise(given, context(patient="r1"))
    assert isinstance(made, dict), made
    left = json.encode(made).decode()
    assert [word for word in WORDS if word.lower() in left.lower()] == []
    assert accept(resource_type, left.encode())

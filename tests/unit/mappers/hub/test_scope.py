"""What belongs into a feed."""

from __future__ import annotations

from datetime import date
from typing import Any

import pytest

from mappers.hub import scope

START = date(2024, 1, 1)


def encounter(**period: str) -> dict[str, Any]:
    return {"resourceType": "Encounter", "period": period}


def observation(**elements: Any) -> dict[str, Any]:
    return {"resourceType": "Observation", **elements}


@pytest.mark.parametrize(
    ("resource", "why"),
    [
        ({"resourceType": "Patient"}, ""),
        (encounter(start="2023-12-30", end="2024-01-02"), ""),
        (encounter(start="2023-12-30", end="2023-12-31"), scope.EARLY),
        (encounter(start="2023-12-30"), scope.EARLY),
        ({"resourceType": "Encounter"}, scope.UNDATED),
        ({"resourceType": "Condition", "recordedDate": "2024", "onsetDateTime": "1999"}, ""),
        ({"resourceType": "Condition", "onsetPeriod": {"start": "2023-12", "end": "2024-03"}}, scope.EARLY),
        ({"resourceType": "Condition", "onsetString": "2024-05"}, scope.UNDATED),
        (observation(effectiveDateTime="2023-12-31T23:59:59+01:00", issued="2024-01-05T10:00:00Z"), scope.EARLY),
        (observation(effectivePeriod={"start": "2023", "end": "2024-01"}), ""),
        (observation(issued="2024-01-01T00:00:00Z"), ""),
        (observation(effectiveDateTime="2024-05", focus=[{}]), scope.ABOUT_ANOTHER),
        (observation(effectiveDateTime="2024-05", implicitRules="http://x"), scope.MODIFIED),
        ({"resourceType": "Patient", "contact": [{"modifierExtension": [{}]}]}, scope.MODIFIED),
        ({"resourceType": "Patient", "contained": [{"modifierExtension": [{}]}]}, ""),
    ],
)
def test_a_resource_is_in_or_out_with_a_reason(resource: dict[str, Any], why: str) -> None:
    assert scope.left_out(resource, "p1", START) == why


def test_a_resource_of_no_patient_is_out() -> None:
    assert scope.left_out({"resourceType": "Patient"}, None, START) == scope.NO_PATIENT


def test_a_birth_date_told_as_an_observation_is_out() -> None:
    code = {"coding": [{"system": "http://loinc.org", "code": "21112-8"}]}
    for resource in ({"code": code}, {"component": [{"code": code}]}):
        told = observation(effectiveDateTime="2024-05", **resource)
        assert scope.left_out(told, "p1", START) == scope.IDENTIFYING

"""The patient of a resource."""

from __future__ import annotations

from typing import Any

import pytest

from ecluse.core.fhir import json
from ecluse.core.fhir.definitions.search_parameters import compartment
from ecluse.core.fhir.types import number_of
from mappers.search.index import patient_of
from tests.official import official

PATIENT, OTHER = {"reference": "Patient/p"}, {"reference": "Patient/other"}


@pytest.mark.parametrize(
    ("resource_type", "resource", "patient"),
    [
        ("Patient", {}, "me"),
        ("Observation", {"subject": PATIENT, "performer": [OTHER]}, "p"),
        (
            "Observation",
            {"subject": {"reference": "Group/1"}, "performer": [{"reference": "Practitioner/1"}, PATIENT]},
            "p",
        ),
        ("Observation", {"subject": {"reference": "Patient/p/_history/3"}}, "p"),
        ("Observation", {"subject": {"reference": "http://elsewhere/Patient/p"}}, None),
        ("Observation", {"subject": {"display": "someone"}}, None),
        ("Observation", {}, None),
        ("Coverage", {"policyHolder": OTHER, "beneficiary": PATIENT}, "p"),
        ("Appointment", {"participant": [{"actor": {"reference": "Location/1"}}, {"actor": PATIENT}]}, "p"),
        ("AuditEvent", {"entity": [{"what": PATIENT}]}, "p"),
        ("Group", {"member": [{"entity": PATIENT}, {"entity": OTHER}]}, "p"),
        ("Provenance", {"target": [{"reference": "Observation/1"}, PATIENT]}, "p"),
        ("Device", {"patient": PATIENT}, "p"),
        ("Task", {"for": PATIENT}, "p"),
        ("ResearchSubject", {"individual": PATIENT}, "p"),
        ("Practitioner", {"name": [{"family": "x"}]}, None),
        ("Organization", {}, None),
    ],
)
def test_the_patient_is_the_subject_before_anyone_else(
    resource_type: str, resource: dict[str, Any], patient: str | None
) -> None:
    assert patient_of(resource_type, "me", resource) == patient


@pytest.mark.parametrize("resource_type", number_of)
def test_every_type_has_an_answer(resource_type: str) -> None:
    assert patient_of(resource_type, "x", {}) == ("x" if resource_type == "Patient" else None)


def test_the_official_compartment_is_known() -> None:
    definition = json.decode(official("CompartmentDefinition-patient"))
    expected = {item["code"]: tuple(item["param"]) for item in definition["resource"] if "param" in item}
    assert compartment("Patient") == expected

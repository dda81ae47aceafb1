"""SMART's fhirclient for Python."""

from __future__ import annotations

import uuid

import pytest
from fhirclient.models.fhirdate import FHIRDate
from fhirclient.models.humanname import HumanName
from fhirclient.models.observation import Observation
from fhirclient.models.patient import Patient
from fhirclient.server import FHIRNotFoundException, FHIRServer


@pytest.fixture
def server(base: str) -> FHIRServer:
    return FHIRServer(None, f"{base}/")


def patient(family: str) -> Patient:
    made = Patient()
    name = HumanName()
    name.family, name.given = family, ["Zoé"]
    made.name, made.gender, made.birthDate = [name], "female", FHIRDate("1956-03-02")
    return made


def observation(subject: str, day: int) -> Observation:
    return Observation(
        {
            "resourceType": "Observation",
            "status": "final",
            "code": {"coding": [{"system": "http://loinc.org", "code": "8867-4"}]},
            "subject": {"reference": f"Patient/{subject}"},
            "effectiveDateTime": f"2026-05-{day:02d}",
        }
    )


def test_a_patient_is_created_read_updated_and_deleted(server: FHIRServer) -> None:
    family = f"Smart{uuid.uuid4().hex[:8]}"
    created = patient(family).create(server)
    assert created is not None
    read = Patient.read(created["id"], server)
    assert read.name[0].given == ["Zoé"]
    assert read.birthDate.isostring == "1956-03-02"
    read.gender = "other"
    assert read.update(server)["meta"]["versionId"] == "2"
    read.delete()
    with pytest.raises(Exception) as caught:
        Patient.read(created["id"], server)
    assert caught.value.response.status_code == 410
    with pytest.raises(FHIRNotFoundException):
        Patient.read("nobody", server)


def test_a_search_goes_over_all_pages(server: FHIRServer) -> None:
    subject = patient(f"Pages{uuid.uuid4().hex[:8]}").create(server)["id"]
    for day in range(1, 13):
        observation(subject, day).create(server)
    search = Observation.where({"subject": f"Patient/{subject}", "_count": "5"})
    found = list(search.perform_resources_iter(server))
    assert sorted(one.effectiveDateTime.date.day for one in found) == list(range(1, 13))

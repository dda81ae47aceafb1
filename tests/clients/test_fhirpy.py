"""fhirpy, which works without a model of the resources."""

from __future__ import annotations

import uuid

import pytest
from fhirpy import AsyncFHIRClient, SyncFHIRClient
from fhirpy.base.exceptions import OperationOutcome, ResourceNotFound


@pytest.fixture
def client(base: str) -> SyncFHIRClient:
    return SyncFHIRClient(base)


def test_a_patient_is_saved_patched_found_and_deleted(client: SyncFHIRClient) -> None:
    family, value = f"Py{uuid.uuid4().hex[:8]}", str(uuid.uuid4())
    identifier = [{"system": "urn:fhirpy", "value": value}]
    patient = client.resource("Patient", name=[{"family": family}], identifier=identifier)
    patient.save()
    assert patient["meta"]["versionId"] == "1"
    patient["gender"] = "female"
    patient.save()
    assert client.reference("Patient", patient.id).to_resource()["gender"] == "female"
    patient.patch(active=True)
    assert patient["active"] is True
    found = client.resources("Patient").search(identifier=f"urn:fhirpy|{value}").get()
    assert found.id == patient.id
    twin, created = (
        client.resources("Patient")
        .search(identifier=f"urn:fhirpy|{value}")
        .get_or_create(client.resource("Patient", name=[{"family": "Other"}], identifier=identifier))
    )
    assert not created
    assert twin.id == patient.id
    patient.delete()
    with pytest.raises((ResourceNotFound, OperationOutcome)):
        client.reference("Patient", patient.id).to_resource()


def test_a_refusal_is_an_operation_outcome(client: SyncFHIRClient) -> None:
    with pytest.raises(OperationOutcome) as caught:
        client.resource("Patient", gendre="female").save()
    assert caught.value.resource["issue"][0]["expression"] == ["Patient.gendre"]


async def test_all_pages_are_fetched(base: str) -> None:
    client = AsyncFHIRClient(base)
    subject = client.resource("Patient", name=[{"family": "Pages"}])
    await subject.save()
    for day in range(1, 8):
        await client.resource(
            "Observation",
            status="final",
            code={"coding": [{"system": "http://loinc.org", "code": "8867-4"}]},
            subject=subject.to_reference(),
            effectiveDateTime=f"2026-05-{day:02d}",
        ).save()
    search = client.resources("Observation").search(subject=f"Patient/{subject.id}").limit(3)
    assert len(await search.fetch_all()) == 7
    assert await search.count() == 7
    bundle = await subject.execute("$everything", method="get")
    assert len(bundle["entry"]) == 8

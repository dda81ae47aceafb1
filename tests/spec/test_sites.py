"""Sites: one identity domain each, under /sites/{site}/fhir."""

from __future__ import annotations

import uuid

import httpx

from tests.spec.search import hits


def test_the_same_id_at_two_sites_is_two_resources(fhir: httpx.Client, other_site: httpx.Client) -> None:
    resource_id = str(uuid.uuid4())
    for client, gender in ((fhir, "male"), (other_site, "female")):
        answer = client.put(
            f"/Patient/{resource_id}", json={"resourceType": "Patient", "id": resource_id, "gender": gender}
        )
        assert answer.status_code == 201
    assert fhir.get(f"/Patient/{resource_id}").json()["gender"] == "male"
    assert other_site.get(f"/Patient/{resource_id}").json()["gender"] == "female"


def test_a_search_stays_within_its_site(fhir: httpx.Client, other_site: httpx.Client) -> None:
    value = str(uuid.uuid4())
    created = other_site.post("/Patient", json={"resourceType": "Patient", "identifier": [{"value": value}]})
    assert "/sites/north/fhir/Patient/" in created.headers["location"]
    assert hits(fhir, f"/Patient?identifier={value}") == []
    assert hits(other_site, f"/Patient?identifier={value}") == [created.json()["id"]]


def test_an_unknown_site_answers_404(fhir: httpx.Client) -> None:
    answer = httpx.get(str(fhir.base_url).replace("/fhir", "/sites/nowhere/fhir") + "Patient/1")
    assert answer.status_code == 404
    assert "nowhere" in answer.json()["issue"][0]["details"]["text"]


def test_a_reference_to_another_site_is_refused_with_the_reason(fhir: httpx.Client, other_site: httpx.Client) -> None:
    foreign = f"{other_site.base_url}Patient/1"
    body = {"resourceType": "Observation", "status": "final", "code": {"text": "x"}, "subject": {"reference": foreign}}
    answer = fhir.post("/Observation", json=body)
    assert answer.status_code == 422
    assert "identity domain" in answer.json()["issue"][0]["details"]["text"]
    assert answer.json()["issue"][0]["diagnostics"] == foreign


def test_a_reference_with_this_sites_address_is_stored_without_it(fhir: httpx.Client) -> None:
    patient = fhir.post("/Patient", json={"resourceType": "Patient"}).json()["id"]
    body = {
        "resourceType": "Observation",
        "status": "final",
        "code": {"text": "x"},
        "subject": {"reference": f"{fhir.base_url}Patient/{patient}"},
    }
    stored = fhir.post("/Observation", json=body).json()
    assert stored["subject"]["reference"] == f"Patient/{patient}"
    assert hits(fhir, f"/Observation?patient={patient}") == [stored["id"]]

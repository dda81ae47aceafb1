"""http://hl7.org/fhir/R4/http.html#update, #upsert, #concurrency and #delete."""

from __future__ import annotations

import uuid

import httpx

from tests.spec.search import hits


def test_update_of_an_unknown_id_creates_it(fhir: httpx.Client) -> None:
    resource_id = str(uuid.uuid4())
    answer = fhir.put(f"/Patient/{resource_id}", json={"resourceType": "Patient", "id": resource_id})
    assert answer.status_code == 201
    assert answer.headers["location"].endswith(f"/Patient/{resource_id}/_history/1")


def test_update_makes_the_next_version(fhir: httpx.Client) -> None:
    resource_id = fhir.post("/Patient", json={"resourceType": "Patient"}).json()["id"]
    answer = fhir.put(f"/Patient/{resource_id}", json={"resourceType": "Patient", "id": resource_id, "gender": "male"})
    assert (answer.status_code, answer.headers["etag"]) == (200, 'W/"2"')
    assert answer.json()["gender"] == "male"


def test_the_same_content_again_makes_no_version(fhir: httpx.Client) -> None:
    resource_id = fhir.post("/Patient", json={"resourceType": "Patient", "gender": "male"}).json()["id"]
    answer = fhir.put(f"/Patient/{resource_id}", json={"resourceType": "Patient", "id": resource_id, "gender": "male"})
    assert (answer.status_code, answer.headers["etag"]) == (200, 'W/"1"')


def test_update_with_another_id_in_the_body_answers_400(fhir: httpx.Client) -> None:
    answer = fhir.put("/Patient/one", json={"resourceType": "Patient", "id": "two"})
    assert answer.status_code == 400
    assert answer.json()["issue"][0]["expression"] == ["Patient.id"]


def test_if_match_of_an_old_version_answers_412(fhir: httpx.Client) -> None:
    resource_id = fhir.post("/Patient", json={"resourceType": "Patient"}).json()["id"]
    body = {"resourceType": "Patient", "id": resource_id, "gender": "male"}
    assert fhir.put(f"/Patient/{resource_id}", json=body, headers={"If-Match": 'W/"1"'}).status_code == 200
    stale = fhir.put(f"/Patient/{resource_id}", json={**body, "active": True}, headers={"If-Match": 'W/"1"'})
    assert stale.status_code == 412
    assert fhir.get(f"/Patient/{resource_id}").headers["etag"] == 'W/"2"'


def test_delete_hides_the_resource_and_keeps_its_history(fhir: httpx.Client) -> None:
    value = str(uuid.uuid4())
    created = fhir.post("/Patient", json={"resourceType": "Patient", "identifier": [{"value": value}]}).json()
    answer = fhir.delete(f"/Patient/{created['id']}")
    assert (answer.status_code, answer.headers["etag"]) == (204, 'W/"2"')
    assert fhir.get(f"/Patient/{created['id']}").status_code == 410
    assert fhir.get(f"/Patient/{created['id']}/_history/1").json()["id"] == created["id"]
    assert hits(fhir, f"/Patient?identifier={value}") == []


def test_delete_again_and_of_an_unknown_id_answers_204(fhir: httpx.Client) -> None:
    resource_id = fhir.post("/Patient", json={"resourceType": "Patient"}).json()["id"]
    assert [fhir.delete(f"/Patient/{i}").status_code for i in (resource_id, resource_id, "nobody")] == [204] * 3


def test_versions_go_on_after_a_delete(fhir: httpx.Client) -> None:
    resource_id = fhir.post("/Patient", json={"resourceType": "Patient"}).json()["id"]
    fhir.delete(f"/Patient/{resource_id}")
    answer = fhir.put(f"/Patient/{resource_id}", json={"resourceType": "Patient", "id": resource_id})
    assert (answer.status_code, answer.headers["etag"]) == (201, 'W/"3"')


def test_an_update_moves_the_search_rows(fhir: httpx.Client) -> None:
    before, after = str(uuid.uuid4()), str(uuid.uuid4())
    created = fhir.post("/Patient", json={"resourceType": "Patient", "identifier": [{"value": before}]}).json()
    fhir.put(
        f"/Patient/{created['id']}",
        json={"resourceType": "Patient", "id": created["id"], "identifier": [{"value": after}]},
    )
    assert hits(fhir, f"/Patient?identifier={before}") == []
    assert hits(fhir, f"/Patient?identifier={after}") == [created["id"]]

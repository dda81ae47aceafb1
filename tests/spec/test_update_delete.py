"""http://hl7.org/fhir/R4/http.html#update, #upsert, #concurrency and #delete."""

from __future__ import annotations

import uuid

import httpx
import pytest

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
    assert (stale.status_code, stale.headers["etag"]) == (412, 'W/"2"')
    assert "is at version 2" in stale.json()["issue"][0]["details"]["text"]
    assert fhir.get(f"/Patient/{resource_id}").headers["etag"] == 'W/"2"'


def test_if_match_guards_a_delete(fhir: httpx.Client) -> None:
    resource_id = fhir.post("/Patient", json={"resourceType": "Patient"}).json()["id"]
    stale = fhir.delete(f"/Patient/{resource_id}", headers={"If-Match": 'W/"7"'})
    assert (stale.status_code, stale.headers["etag"]) == (412, 'W/"1"')
    answer = fhir.delete(f"/Patient/{resource_id}", headers={"If-Match": 'W/"1"'})
    assert (answer.status_code, answer.headers["etag"]) == (204, 'W/"2"')
    assert fhir.delete(f"/Patient/{resource_id}", headers={"If-Match": 'W/"2"'}).status_code == 412


@pytest.mark.parametrize("method", ["PUT", "DELETE"])
def test_if_match_on_what_does_not_exist_answers_412_and_writes_nothing(fhir: httpx.Client, method: str) -> None:
    resource_id = str(uuid.uuid4())
    body = {"resourceType": "Patient", "id": resource_id} if method == "PUT" else None
    for tag in ('W/"1"', "*"):
        answer = fhir.request(method, f"/Patient/{resource_id}", json=body, headers={"If-Match": tag})
        assert answer.status_code == 412
        assert "does not exist" in answer.json()["issue"][0]["details"]["text"]
    assert fhir.get(f"/Patient/{resource_id}/_history").status_code == 404


def test_if_match_of_any_version_updates_what_stands(fhir: httpx.Client) -> None:
    resource_id = fhir.post("/Patient", json={"resourceType": "Patient"}).json()["id"]
    body = {"resourceType": "Patient", "id": resource_id, "gender": "male"}
    assert fhir.put(f"/Patient/{resource_id}", json=body, headers={"If-Match": "*"}).status_code == 200


def test_if_none_match_of_any_version_creates_only(fhir: httpx.Client) -> None:
    resource_id = str(uuid.uuid4())
    body = {"resourceType": "Patient", "id": resource_id}
    create_only = {"If-None-Match": "*"}
    assert fhir.put(f"/Patient/{resource_id}", json=body, headers=create_only).status_code == 201
    again = fhir.put(f"/Patient/{resource_id}", json={**body, "gender": "male"}, headers=create_only)
    assert (again.status_code, again.headers["etag"]) == (412, 'W/"1"')
    fhir.delete(f"/Patient/{resource_id}")
    assert fhir.put(f"/Patient/{resource_id}", json=body, headers=create_only).status_code == 201


@pytest.mark.parametrize("headers", [{"If-Match": "three"}, {"If-None-Match": 'W/"1"'}, {"If-Match": 'W/"0"'}])
def test_a_version_condition_that_cannot_be_read_answers_400(fhir: httpx.Client, headers: dict[str, str]) -> None:
    answer = fhir.put("/Patient/x1", json={"resourceType": "Patient", "id": "x1"}, headers=headers)
    assert answer.status_code == 400


def test_the_same_content_in_another_order_makes_no_version(fhir: httpx.Client) -> None:
    sent = {"gender": "male", "name": [{"family": "x", "given": ["y"]}], "meta": {"tag": [{"code": "t"}]}}
    resource_id = fhir.post("/Patient", json={"resourceType": "Patient", **sent}).json()["id"]
    turned = {"id": resource_id, "name": [{"given": ["y"], "family": "x"}], "gender": "male", "meta": sent["meta"]}
    answer = fhir.put(f"/Patient/{resource_id}", json={**turned, "resourceType": "Patient"})
    assert (answer.status_code, answer.headers["etag"]) == (200, 'W/"1"')


def test_another_lexeme_of_a_number_is_another_content(fhir: httpx.Client) -> None:
    def body(resource_id: str, number: str) -> bytes:
        text = (
            '{"resourceType":"Observation","id":"%s","status":"final","code":{"text":"x"},"valueQuantity":{"value":%s}}'
        )
        return (text % (resource_id, number)).encode()

    resource_id, headers = str(uuid.uuid4()), {"Content-Type": "application/fhir+json"}
    for number, version in (("1.0", 1), ("1.00", 2), ("1.00", 2), ("1", 3)):
        answer = fhir.put(f"/Observation/{resource_id}", content=body(resource_id, number), headers=headers)
        assert answer.headers["etag"] == f'W/"{version}"'


def test_delete_hides_the_resource_and_keeps_its_history(fhir: httpx.Client) -> None:
    value = str(uuid.uuid4())
    created = fhir.post("/Patient", json={"resourceType": "Patient", "identifier": [{"value": value}]}).json()
    answer = fhir.delete(f"/Patient/{created['id']}")
    assert (answer.status_code, answer.headers["etag"]) == (204, 'W/"2"')
    gone = fhir.get(f"/Patient/{created['id']}")
    assert (gone.status_code, gone.headers["etag"], gone.json()["issue"][0]["code"]) == (410, 'W/"2"', "deleted")
    assert fhir.get(f"/Patient/{created['id']}/_history/2").status_code == 410
    assert fhir.get(f"/Patient/{created['id']}/_history/1").json()["id"] == created["id"]
    assert hits(fhir, f"/Patient?identifier={value}") == []


def test_delete_again_and_of_an_unknown_id_answers_204(fhir: httpx.Client) -> None:
    resource_id = fhir.post("/Patient", json={"resourceType": "Patient"}).json()["id"]
    assert [fhir.delete(f"/Patient/{i}").status_code for i in (resource_id, resource_id, "nobody")] == [204] * 3


def test_delete_tells_what_it_did_to_those_who_ask(fhir: httpx.Client) -> None:
    resource_id = fhir.post("/Patient", json={"resourceType": "Patient"}).json()["id"]
    outcome = {"Prefer": "return=OperationOutcome"}
    answers = [fhir.delete(f"/Patient/{i}", headers=outcome) for i in (resource_id, resource_id, "nobody")]
    assert [(a.status_code, a.headers.get("etag")) for a in answers] == [(200, 'W/"2"'), (200, 'W/"2"'), (200, None)]
    texts = [a.json()["issue"][0]["details"]["text"] for a in answers]
    assert ["deleted now" in texts[0], "deleted before" in texts[1], "never was" in texts[2]] == [True] * 3


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


def test_updates_and_deletes_are_repeated_under_their_key(fhir: httpx.Client) -> None:
    patient = {"resourceType": "Patient", "id": str(uuid.uuid4())}
    address, key = f"/Patient/{patient['id']}", str(uuid.uuid4())
    created = fhir.put(address, json=patient, headers={"Idempotency-Key": key})
    fhir.put(address, json={**patient, "active": True})
    again = fhir.put(address, json=patient, headers={"Idempotency-Key": key})
    assert (again.status_code, again.headers["etag"], again.text) == (201, 'W/"1"', created.text)
    assert fhir.get(address).json()["active"] is True
    for _ in range(2):
        assert fhir.delete(address, headers={"Idempotency-Key": f"{key}-delete"}).headers["etag"] == 'W/"3"'
    assert fhir.delete(address, headers={"Idempotency-Key": key}).status_code == 409

"""http://hl7.org/fhir/R4/http.html#create and #ccreate."""

from __future__ import annotations

import concurrent.futures
import re
import uuid

import httpx
import pytest

PATIENT = {"resourceType": "Patient", "name": [{"family": "Lemaire"}], "birthDate": "1956-03"}


def test_create_answers_201_with_location_etag_and_the_resource(fhir: httpx.Client) -> None:
    answer = fhir.post("/Patient", json=PATIENT)
    assert answer.status_code == 201
    body = answer.json()
    assert re.fullmatch(rf".*/fhir/Patient/{body['id']}/_history/1", answer.headers["location"])
    assert answer.headers["etag"] == 'W/"1"'
    assert answer.headers["last-modified"].endswith("GMT")
    assert body["meta"]["versionId"] == "1"
    assert {k: v for k, v in body.items() if k not in ("id", "meta")} == PATIENT


def test_create_ignores_an_id_of_the_client(fhir: httpx.Client) -> None:
    body = fhir.post("/Patient", json={**PATIENT, "id": "mine"}).json()
    assert body["id"] != "mine"


def test_prefer_minimal_answers_without_a_body(fhir: httpx.Client) -> None:
    answer = fhir.post("/Patient", json=PATIENT, headers={"Prefer": "return=minimal"})
    assert (answer.status_code, answer.content) == (201, b"")


def test_prefer_operation_outcome_answers_with_one(fhir: httpx.Client) -> None:
    answer = fhir.post("/Patient", json=PATIENT, headers={"Prefer": "return=OperationOutcome"})
    assert answer.json()["resourceType"] == "OperationOutcome"


def test_numbers_and_dates_are_read_as_they_were_sent(fhir: httpx.Client) -> None:
    sent = (
        b'{"resourceType":"Observation","status":"final","code":{"text":"x"},"effectiveDateTime":"2018-05-03T10:00:00+00:00",'
        b'"valueQuantity":{"value":1.00},"referenceRange":[{"low":{"value":0.3560},"high":{"value":1e2}}]}'
    )
    created = fhir.post("/Observation", content=sent, headers={"Content-Type": "application/fhir+json"})
    text = fhir.get(f"/Observation/{created.json()['id']}").text
    assert '"value":1.00}' in text
    assert '"value":0.3560}' in text
    assert '"value":1e2}' in text
    assert "2018-05-03T10:00:00+00:00" in text


def test_conditional_create_makes_one_and_then_finds_it(fhir: httpx.Client) -> None:
    value = str(uuid.uuid4())
    patient = {**PATIENT, "identifier": [{"system": "urn:test", "value": value}]}
    headers = {"If-None-Exist": f"identifier=urn:test|{value}"}
    first = fhir.post("/Patient", json=patient, headers=headers)
    second = fhir.post("/Patient", json=patient, headers=headers)
    assert (first.status_code, second.status_code) == (201, 200)
    assert second.json()["id"] == first.json()["id"]


def test_conditional_create_with_two_matches_answers_412(fhir: httpx.Client) -> None:
    value = str(uuid.uuid4())
    patient = {**PATIENT, "identifier": [{"system": "urn:test", "value": value}]}
    for _ in range(2):
        fhir.post("/Patient", json=patient)
    answer = fhir.post("/Patient", json=patient, headers={"If-None-Exist": f"identifier=urn:test|{value}"})
    assert answer.status_code == 412
    assert answer.json()["issue"][0]["code"] == "conflict"


def test_twenty_parallel_conditional_creates_make_one_resource(fhir: httpx.Client) -> None:
    value = str(uuid.uuid4())
    patient = {**PATIENT, "identifier": [{"system": "urn:test", "value": value}]}
    headers = {"If-None-Exist": f"identifier=urn:test|{value}"}
    with concurrent.futures.ThreadPoolExecutor(20) as pool:
        answers = list(pool.map(lambda _: fhir.post("/Patient", json=patient, headers=headers), range(20)))
    assert sorted(a.status_code for a in answers) == [200] * 19 + [201]
    assert len({a.json()["id"] for a in answers}) == 1


def test_a_request_sent_again_under_its_key_writes_nothing_and_gets_the_first_answer(fhir: httpx.Client) -> None:
    headers = {"Idempotency-Key": str(uuid.uuid4())}
    first = fhir.post("/Patient", json=PATIENT, headers=headers)
    second = fhir.post("/Patient", json=PATIENT, headers=headers)
    assert second.status_code == 201
    assert second.headers["location"] == first.headers["location"]
    assert second.headers["x-ecluse-repeated"] == "true"
    assert "x-ecluse-repeated" not in first.headers


def test_a_key_used_for_another_body_answers_409(fhir: httpx.Client) -> None:
    headers = {"Idempotency-Key": str(uuid.uuid4())}
    fhir.post("/Patient", json=PATIENT, headers=headers)
    answer = fhir.post("/Patient", json={**PATIENT, "gender": "female"}, headers=headers)
    assert answer.status_code == 409


def test_a_condition_in_the_address_is_not_ignored(fhir: httpx.Client) -> None:
    value = str(uuid.uuid4())
    patient = {"resourceType": "Patient", "identifier": [{"system": "urn:test", "value": value}]}
    address = f"/Patient?identifier=urn:test|{value}&_format=json"
    first, second = fhir.post(address, json=patient), fhir.post(address, json=patient)
    assert [first.status_code, second.status_code] == [201, 200]
    assert first.json() == second.json()
    assert fhir.post("/Patient?_format=json&_pretty=true", json=patient).status_code == 201
    refused = fhir.post("/Patient?nonsense=1", json=patient)
    assert refused.status_code == 400
    assert "nonsense" in refused.text


@pytest.mark.parametrize(
    ("header", "value", "told"),
    [
        ("If-None-Exist", "", "If-None-Exist is empty"),
        ("Idempotency-Key", "", "Idempotency-Key is empty"),
        ("X-Ecluse-Lane", "bulck", "X-Ecluse-Lane is live or bulk"),
    ],
)
def test_a_header_that_says_nothing_does_not_write(fhir: httpx.Client, header: str, value: str, told: str) -> None:
    answer = fhir.post("/Patient", json={"resourceType": "Patient"}, headers={header: value})
    assert answer.status_code == 400
    assert told in answer.json()["issue"][0]["details"]["text"]

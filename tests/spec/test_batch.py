"""http://hl7.org/fhir/R4/http.html#brules."""

from __future__ import annotations

import uuid

import httpx

from tests.spec.search import hits
from tests.spec.test_transaction import bundle, post, put


def test_batch_entries_know_nothing_of_each_other(fhir: httpx.Client) -> None:
    marker = str(uuid.uuid4())
    good = post({"resourceType": "Patient", "identifier": [{"value": marker}]})
    bad = post({"resourceType": "Patient", "gendre": "x"})
    missing = {"request": {"method": "GET", "url": "Patient/nobody"}}
    answer = fhir.post("/", json=bundle(bad, good, missing, kind="batch")).json()
    assert answer["type"] == "batch-response"
    assert [entry["response"]["status"][:3] for entry in answer["entry"]] == ["400", "201", "404"]
    outcome = answer["entry"][0]["response"]["outcome"]
    assert outcome["issue"][0]["expression"] == ["Bundle.entry[0].resource.gendre"]
    assert len(hits(fhir, f"/Patient?identifier={marker}")) == 1


def test_an_empty_batch_is_answered_with_an_empty_response(fhir: httpx.Client) -> None:
    answer = fhir.post("/", json={"resourceType": "Bundle", "type": "batch"})
    assert (answer.status_code, answer.json()) == (200, {"resourceType": "Bundle", "type": "batch-response"})


def test_a_read_sees_the_writes_before_it_and_one_address_keeps_its_order(fhir: httpx.Client) -> None:
    patient = {"resourceType": "Patient", "id": str(uuid.uuid4())}
    read = {"request": {"method": "GET", "url": f"Patient/{patient['id']}"}}
    writes = [put({**patient, "multipleBirthInteger": number}) for number in range(1, 30)]
    entries = fhir.post("/", json=bundle(read, *writes, read, kind="batch")).json()["entry"]
    assert entries[0]["response"]["status"] == "404 Not Found"
    assert [e["response"]["etag"] for e in entries[1:-1]] == [f'W/"{version}"' for version in range(1, 30)]
    assert entries[-1]["resource"]["multipleBirthInteger"] == 29


def test_answers_stand_in_the_order_of_the_entries(fhir: httpx.Client) -> None:
    marker = str(uuid.uuid4())
    people = [{"resourceType": "Patient", "identifier": [{"value": f"{marker}-{n}"}]} for n in range(200)]
    entries = fhir.post("/", json=bundle(*map(post, people), kind="batch")).json()["entry"]
    assert [e["resource"]["identifier"] for e in entries] == [person["identifier"] for person in people]
    assert {e["response"]["status"] for e in entries} == {"201 Created"}
    assert all(e["response"]["location"].startswith("Patient/") for e in entries)


def test_the_same_condition_twice_makes_one_resource(fhir: httpx.Client) -> None:
    marker = str(uuid.uuid4())
    patient = {"resourceType": "Patient", "identifier": [{"value": marker}]}
    entries = [post(patient, ifNoneExist=f"identifier={marker}") for _ in range(8)]
    answers = fhir.post("/", json=bundle(*entries, kind="batch")).json()["entry"]
    assert [e["response"]["status"] for e in answers] == ["201 Created"] + ["200 OK"] * 7
    assert len(hits(fhir, f"/Patient?identifier={marker}")) == 1


def test_a_batch_sent_again_under_its_key_writes_nothing(fhir: httpx.Client) -> None:
    marker = str(uuid.uuid4())
    body = bundle(
        *(post({"resourceType": "Patient", "identifier": [{"value": marker}]}) for _ in range(3)), kind="batch"
    )
    first, second = (fhir.post("/", json=body, headers={"Idempotency-Key": marker}).json() for _ in range(2))
    assert [e["response"] for e in first["entry"]] == [e["response"] for e in second["entry"]]
    assert len(hits(fhir, f"/Patient?identifier={marker}")) == 3


def test_a_batch_in_a_batch_is_refused(fhir: httpx.Client) -> None:
    inner = {"resource": bundle(kind="batch"), "request": {"method": "POST", "url": "/"}}
    (entry,) = fhir.post("/", json=bundle(inner, kind="batch")).json()["entry"]
    assert entry["response"]["status"] == "400 Bad Request"
    assert entry["response"]["outcome"]["issue"][0]["expression"] == ["Bundle.entry[0].request.url"]

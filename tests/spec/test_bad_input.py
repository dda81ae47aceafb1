"""What no server may fall over: each is a 4xx that names the place, and the next request is served."""

from __future__ import annotations

import gzip
import json

import httpx
import pytest

JSON = {"Content-Type": "application/fhir+json"}
DEEP = b'{"resourceType":"Patient","extension":' + b'[{"extension":' * 10_000 + b"1" + b"}]" * 10_000 + b"}"
PATIENT = '{"resourceType":"Patient",%s}'
REQUEST = '"request":{"method":"POST","url":"Patient"}'
ENTRY = '{"resourceType":"Bundle","type":"transaction","entry":[{"resource":%s,' + REQUEST + "}]}"
CONTAINED = '{"resourceType":"Observation","status":"final","code":{"text":"x"},"contained":[%s]}'

BAD = {
    "broken": ("/Patient", b'{"resourceType":"Patient",', ""),
    "empty": ("/Patient", b"", ""),
    "no object": ("/Patient", b"[1,2]", ""),
    "wrong type": ("/Patient", (PATIENT % '"active":"yes"').encode(), "Patient.active"),
    "wrong list": ("/Patient", (PATIENT % '"name":{"family":"x"}').encode(), "Patient.name"),
    "unknown element": ("/Patient", (PATIENT % '"nom":"x"').encode(), "Patient.nom"),
    "bad date": ("/Patient", (PATIENT % '"birthDate":"1980-02-30"').encode(), "Patient.birthDate"),
    "null": ("/Patient", (PATIENT % '"gender":null').encode(), "Patient.gender"),
    "empty object": ("/Patient", (PATIENT % '"name":[{}]').encode(), "Patient.name[0]"),
    "empty array": ("/Patient", (PATIENT % '"name":[]').encode(), "Patient.name"),
    "two choices": (
        "/Patient",
        (PATIENT % '"deceasedBoolean":true,"deceasedDateTime":"2020"').encode(),
        "Patient.deceased",
    ),
    "deep": ("/Patient", DEEP, ""),
    "invalid utf-8": ("/Patient", b'{"resourceType":"Patient","gender":"\xff"}', ""),
    "control character": ("/Patient", (PATIENT % '"language":"a\\u0000b"').encode(), "Patient.language"),
    "raw control character": ("/Patient", b'{"resourceType":"Patient","language":"a\x01b"}', ""),
    "lone surrogate": ("/Patient", (PATIENT % '"name":[{"family":"\\ud800"}]').encode(), ""),
    "another type": ("/Patient", b'{"resourceType":"Observation"}', "Observation.resourceType"),
    "duplicate key": ("/Patient", (PATIENT % '"gender":"male","gender":"female"').encode(), "Patient.gender"),
    "duplicate in entry": (
        "/",
        (ENTRY % (PATIENT % '"gender":"male","gender":"female"')).encode(),
        "Bundle.entry[0].resource.gender",
    ),
    "duplicate in contained": (
        "/Observation",
        (CONTAINED % (PATIENT % '"gender":"male","gender":"female"')).encode(),
        "Observation.contained[0].gender",
    ),
    "control character in entry": (
        "/",
        (ENTRY % (PATIENT % '"language":"a\\u0000b"')).encode(),
        "Bundle.entry[0].resource.language",
    ),
    "control character in contained": (
        "/Observation",
        (CONTAINED % (PATIENT % '"language":"a\\u0000b"')).encode(),
        "Observation.contained[0].language",
    ),
    "invalid utf-8 in entry": (
        "/",
        (ENTRY % '{"resourceType":"Patient","gender":"@"}').encode().replace(b"@", b"\xff"),
        "",
    ),
    "deep in entry": ("/", (ENTRY % "@").encode().replace(b"@", DEEP), ""),
}


@pytest.mark.parametrize("name", BAD)
def test_bad_input_is_a_400_that_names_the_place(fhir: httpx.Client, name: str) -> None:
    path, body, place = BAD[name]
    answer = fhir.post(path, content=body, headers=JSON)
    assert answer.status_code == 400, answer.text
    issues = answer.json()["issue"]
    assert all(
        issue["severity"] in ("error", "fatal") and issue["code"] and issue["details"]["text"] for issue in issues
    )
    if place:
        assert place in [expression for issue in issues for expression in issue.get("expression", [])]
    assert fhir.get("/Patient/nobody").status_code == 404


def test_a_body_of_100_mb_answers_413(fhir: httpx.Client) -> None:
    answer = fhir.post("/Patient", content=b" " * 100_000_000, headers=JSON)
    assert answer.status_code == 413
    assert answer.json()["issue"][0]["code"] == "too-long"


def test_a_small_body_that_inflates_to_100_mb_answers_413(fhir: httpx.Client) -> None:
    answer = fhir.post(
        "/Patient", content=gzip.compress(b" " * 100_000_000), headers={**JSON, "Content-Encoding": "gzip"}
    )
    assert answer.status_code == 413


def test_a_compressed_body_is_read(fhir: httpx.Client) -> None:
    body = gzip.compress(json.dumps({"resourceType": "Patient"}).encode())
    assert fhir.post("/Patient", content=body, headers={**JSON, "Content-Encoding": "gzip"}).status_code == 201


def test_another_content_type_answers_415(fhir: httpx.Client) -> None:
    answer = fhir.post("/Patient", content=b"a=b", headers={"Content-Type": "text/plain"})
    assert answer.status_code == 415
    assert "text/plain" in answer.json()["issue"][0]["diagnostics"]


def test_an_unknown_method_or_address_answers_4xx_with_an_outcome(fhir: httpx.Client) -> None:
    for method, path, status in (
        ("PATCH", "/metadata", 405),
        ("PUT", "/Patient/_search", 405),
        ("GET", "/Patient/1/2/3", 404),
        ("PUT", "/Patient/a b", 400),
    ):
        answer = fhir.request(method, path, json={"resourceType": "Patient"})
        assert answer.status_code == status
        assert answer.json()["resourceType"] == "OperationOutcome"

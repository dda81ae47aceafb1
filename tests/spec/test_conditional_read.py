"""http://hl7.org/fhir/R4/http.html#cread: nothing is sent to a client that has it."""

from __future__ import annotations

import httpx
import pytest

PATIENT = {"resourceType": "Patient", "active": True}


@pytest.fixture
def second(fhir: httpx.Client) -> str:
    """The path of a Patient in its second version."""
    created = fhir.post("/Patient", json=PATIENT).json()
    path = f"/Patient/{created['id']}"
    assert fhir.put(path, json={**PATIENT, "id": created["id"], "active": False}).status_code == 200
    return path


@pytest.mark.parametrize("known", ['W/"2"', '"2"', "2", "*", 'W/"1", W/"2"'])
def test_a_version_that_the_client_has_is_not_sent_again(fhir: httpx.Client, second: str, known: str) -> None:
    for method in ("GET", "HEAD"):
        answer = fhir.request(method, second, headers={"If-None-Match": known})
        assert (answer.status_code, answer.content) == (304, b"")
        assert answer.headers["etag"] == 'W/"2"'
        assert answer.headers["last-modified"] == fhir.get(second).headers["last-modified"]
        assert "content-type" not in answer.headers and "content-length" not in answer.headers


@pytest.mark.parametrize("known", ['W/"1"', 'W/"22"', "", "x"])
def test_another_version_is_sent(fhir: httpx.Client, second: str, known: str) -> None:
    answer = fhir.get(second, headers={"If-None-Match": known})
    assert (answer.status_code, answer.json()["meta"]["versionId"]) == (200, "2")


def test_what_has_not_changed_since_is_not_sent_again(fhir: httpx.Client, second: str) -> None:
    since = fhir.get(second).headers["last-modified"]
    assert fhir.get(second, headers={"If-Modified-Since": since}).status_code == 304
    assert fhir.get(f"{second}/_history/2", headers={"If-Modified-Since": since}).status_code == 304
    for other in ("Thu, 01 Jan 2015 10:00:00 GMT", "yesterday", "Thu, 99 Jan 2015 10:00:00 GMT"):
        assert fhir.get(second, headers={"If-Modified-Since": other}).status_code == 200


def test_if_none_match_wins_over_if_modified_since(fhir: httpx.Client, second: str) -> None:
    since = fhir.get(second).headers["last-modified"]
    answer = fhir.get(second, headers={"If-None-Match": 'W/"1"', "If-Modified-Since": since})
    assert answer.status_code == 200


@pytest.mark.parametrize("kind", ["batch", "transaction"])
def test_an_entry_of_a_bundle_reads_on_condition_too(fhir: httpx.Client, second: str, kind: str) -> None:
    url, since = second.removeprefix("/"), fhir.get(second).json()["meta"]["lastUpdated"]
    requests = [
        {"method": "GET", "url": url, "ifNoneMatch": 'W/"2"'},
        {"method": "GET", "url": url, "ifNoneMatch": 'W/"1"'},
        {"method": "GET", "url": url, "ifModifiedSince": since},
        {"method": "GET", "url": url, "ifModifiedSince": "2015-01-01T00:00:00Z"},
    ]
    bundle = {"resourceType": "Bundle", "type": kind, "entry": [{"request": request} for request in requests]}
    answer = fhir.post("/", json=bundle)
    assert answer.status_code == 200, answer.text
    entries = answer.json()["entry"]
    assert [entry["response"]["status"] for entry in entries] == ["304 Not Modified", "200 OK"] * 2
    assert [entry["response"]["etag"] for entry in entries] == ['W/"2"'] * 4
    assert ["resource" in entry for entry in entries] == [False, True] * 2

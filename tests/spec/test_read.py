"""http://hl7.org/fhir/R4/http.html#read, #vread and #history."""

from __future__ import annotations

import httpx
import pytest

PATIENT = {"resourceType": "Patient", "active": True}


def _versions(fhir: httpx.Client, count: int) -> str:
    resource_id = str(fhir.post("/Patient", json=PATIENT).json()["id"])
    for number in range(2, count + 1):
        body = {**PATIENT, "id": resource_id, "multipleBirthInteger": number}
        assert fhir.put(f"/Patient/{resource_id}", json=body).status_code == 200
    return resource_id


def test_read_of_an_unknown_id_answers_404(fhir: httpx.Client) -> None:
    answer = fhir.get("/Patient/nobody")
    assert answer.status_code == 404
    assert answer.json()["issue"][0]["code"] == "not-found"


def test_read_of_an_unknown_type_answers_404_with_the_nearest_name(fhir: httpx.Client) -> None:
    answer = fhir.get("/Patients/1")
    assert answer.status_code == 404
    assert "Patient?" in answer.json()["issue"][0]["details"]["text"]


def test_head_answers_like_get_without_the_body(fhir: httpx.Client) -> None:
    resource_id = _versions(fhir, 1)
    answer = fhir.head(f"/Patient/{resource_id}")
    assert (answer.status_code, answer.content, answer.headers["etag"]) == (200, b"", 'W/"1"')


def test_vread_gives_each_version(fhir: httpx.Client) -> None:
    resource_id = _versions(fhir, 3)
    for number in (1, 2, 3):
        answer = fhir.get(f"/Patient/{resource_id}/_history/{number}")
        assert answer.json()["meta"]["versionId"] == str(number)
        assert answer.headers["etag"] == f'W/"{number}"'
    assert fhir.get(f"/Patient/{resource_id}/_history/4").status_code == 404
    assert fhir.get(f"/Patient/{resource_id}/_history/x").status_code == 404


def test_history_is_newest_first_and_pages(fhir: httpx.Client) -> None:
    resource_id = _versions(fhir, 5)
    fhir.delete(f"/Patient/{resource_id}")
    seen: list[tuple[str, str]] = []
    url = f"/Patient/{resource_id}/_history?_count=2"
    while url:
        page = fhir.get(url).json()
        assert (page["type"], page["total"]) == ("history", 6)
        seen += [(entry["request"]["method"], entry["response"]["etag"]) for entry in page["entry"]]
        url = next((link["url"] for link in page["link"] if link["relation"] == "next"), "")
    assert seen == [("DELETE", 'W/"6"'), *[("PUT", f'W/"{n}"') for n in (5, 4, 3, 2)], ("POST", 'W/"1"')]


def test_history_of_an_unknown_id_answers_404(fhir: httpx.Client) -> None:
    assert fhir.get("/Patient/nobody/_history").status_code == 404


def test_an_answer_carries_the_request_id(fhir: httpx.Client) -> None:
    assert fhir.get("/metadata", headers={"X-Request-Id": "r-17"}).headers["x-request-id"] == "r-17"
    assert fhir.get("/metadata").headers["x-request-id"]


def test_another_format_answers_406(fhir: httpx.Client) -> None:
    answer = fhir.get("/metadata", headers={"Accept": "text/turtle"})
    assert answer.status_code == 406
    assert "application/fhir+json" in answer.json()["issue"][0]["details"]["text"]


def test_a_large_answer_is_compressed_for_those_who_take_it(fhir: httpx.Client) -> None:
    answer = fhir.get("/metadata", headers={"Accept-Encoding": "gzip"})
    assert answer.headers["content-encoding"] == "gzip"
    assert answer.json()["resourceType"] == "CapabilityStatement"


@pytest.mark.parametrize("address", ["/Patient/{}", "/Patient/{}/_history/1", "/metadata"])
def test_a_parameter_that_is_not_taken_answers_400_with_those_that_are(fhir: httpx.Client, address: str) -> None:
    url = address.format(_versions(fhir, 1))
    answer = fhir.get(f"{url}?_sumary=true&shoe=43&_pretty=maybe")
    assert answer.status_code == 400
    unknown, foreign, pretty = (issue["details"]["text"] for issue in answer.json()["issue"])
    assert "_sumary; valid, nearest first: _summary, " in unknown and "_format" in unknown
    assert "shoe" in foreign
    assert pretty == "_pretty: write one of true, false."
    assert ("mode" in unknown) == (address == "/metadata")
    assert fhir.get(f"{url}?shoe=43", headers={"Prefer": "handling=lenient"}).status_code == 200
    assert fhir.get(f"{url}?_summary=true&_pretty=true&_format=json").status_code == 200


def test_a_mode_of_metadata_that_there_is_not_answers_400(fhir: httpx.Client) -> None:
    answer = fhir.get("/metadata?mode=terminolgy")
    assert (answer.status_code, answer.json()["issue"][0]["details"]["text"]) == (
        400,
        "mode: write one of full, normative, terminology.",
    )
    assert fhir.get("/metadata?mode=full").json()["resourceType"] == "CapabilityStatement"

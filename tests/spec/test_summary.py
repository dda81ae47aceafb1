"""http://hl7.org/fhir/R4/search.html#summary and #elements, on read, vread, search and history."""

from __future__ import annotations

import json
from typing import Any

import httpx
import pytest

from tests.official import official

SUBSETTED = {"system": "http://terminology.hl7.org/CodeSystem/v3-ObservationValue", "code": "SUBSETTED"}
DIV = '<div xmlns="http://www.w3.org/1999/xhtml">a</div>'
OBSERVATION: dict[str, Any] = {
    "resourceType": "Observation",
    "meta": {"tag": [{"system": "urn:t", "code": "x"}]},
    "language": "fr",
    "text": {"status": "generated", "div": DIV},
    "extension": [{"url": "urn:x", "valueBoolean": True}],
    "status": "final",
    "_status": {"id": "s"},
    "code": {"text": "x", "extension": [{"url": "urn:x", "valueBoolean": True}]},
    "valueQuantity": {"value": 1},
    "note": [{"text": "n"}],
    "component": [{"id": "c", "code": {"text": "y"}, "valueString": "z", "referenceRange": [{"text": "r"}]}],
}


@pytest.fixture(scope="module")
def stored(fhir: httpx.Client) -> dict[str, Any]:
    """An Observation as it is read."""
    created: dict[str, Any] = fhir.post("/Observation", json=OBSERVATION).json()
    return created


def _each_way(fhir: httpx.Client, stored: dict[str, Any], asked: str) -> list[dict[str, Any]]:
    """The resource as read, vread, search by GET and by POST, and history show it."""
    path = f"/Observation/{stored['id']}"
    bundles = [
        fhir.get(f"/Observation?_id={stored['id']}&{asked}"),
        fhir.post(
            "/Observation/_search",
            content=f"_id={stored['id']}&{asked}",
            headers={"Content-Type": "application/x-www-form-urlencoded"},
        ),
        fhir.get(f"{path}/_history?{asked}"),
    ]
    for answer in bundles:
        assert answer.status_code == 200, answer.text
        assert "tag" not in answer.json().get("meta", {})
        assert len(answer.json()["entry"]) == 1
    plain = [fhir.get(f"{path}?{asked}"), fhir.get(f"{path}/_history/1?{asked}")]
    assert [answer.headers["etag"] for answer in plain] == ['W/"1"'] * 2
    return [answer.json() for answer in plain] + [answer.json()["entry"][0]["resource"] for answer in bundles]


def _is_subset(resource: dict[str, Any]) -> bool:
    return resource["meta"]["tag"] == [{"system": "urn:t", "code": "x"}, SUBSETTED]


def test_summary_true_has_the_marked_elements_at_each_level(fhir: httpx.Client, stored: dict[str, Any]) -> None:
    for resource in _each_way(fhir, stored, "_summary=true"):
        assert _is_subset(resource)
        names = {"resourceType", "id", "meta", "status", "_status", "code", "valueQuantity", "component"}
        assert resource.keys() == names
        assert resource["code"] == {"text": "x"}
        assert resource["component"] == [{"code": {"text": "y"}, "valueString": "z"}]
        assert resource["meta"]["versionId"] == "1"


def test_summary_text_has_the_narrative_and_what_is_mandatory(fhir: httpx.Client, stored: dict[str, Any]) -> None:
    for resource in _each_way(fhir, stored, "_summary=text"):
        assert _is_subset(resource)
        assert resource.keys() == {"resourceType", "id", "meta", "text", "status", "_status", "code"}
        assert resource["text"]["div"] == DIV


def test_summary_data_has_all_but_the_narrative(fhir: httpx.Client, stored: dict[str, Any]) -> None:
    for resource in _each_way(fhir, stored, "_summary=data"):
        assert _is_subset(resource)
        assert resource.keys() == stored.keys() - {"text"}


def test_summary_false_has_all(fhir: httpx.Client, stored: dict[str, Any]) -> None:
    assert _each_way(fhir, stored, "_summary=false") == [stored] * 5


def test_elements_has_what_is_named_and_what_is_mandatory(fhir: httpx.Client, stored: dict[str, Any]) -> None:
    for asked in ("note,value", "Observation.note,Observation.valueQuantity,Patient.name", " note , valueQuantity"):
        for resource in _each_way(fhir, stored, f"_elements={asked}"):
            assert _is_subset(resource)
            assert resource.keys() == {
                "resourceType",
                "id",
                "meta",
                "status",
                "_status",
                "code",
                "note",
                "valueQuantity",
            }
            assert resource["note"] == [{"text": "n"}]


def test_count_has_the_number_alone(fhir: httpx.Client, stored: dict[str, Any]) -> None:
    for url in (f"/Observation?_id={stored['id']}", f"/Observation/{stored['id']}/_history?"):
        bundle = fhir.get(f"{url}&_summary=count").json()
        assert (bundle["total"], "entry" in bundle) == (1, False)


@pytest.mark.parametrize(
    ("asked", "told"),
    [
        ("_summary=short", "true, text, data"),
        ("_elements=nom", "nom"),
        ("_elements=statu", "status"),
        ("_summary=true&_elements=note", "not both"),
        ("_summary=count", "count"),
    ],
)
def test_what_cannot_be_cut_is_a_400_that_says_why(
    fhir: httpx.Client, stored: dict[str, Any], asked: str, told: str
) -> None:
    answer = fhir.get(f"/Observation/{stored['id']}?{asked}")
    assert answer.status_code == 400
    assert told in answer.text


def test_a_lenient_client_may_name_elements_that_are_none(fhir: httpx.Client, stored: dict[str, Any]) -> None:
    answer = fhir.get(f"/Observation/{stored['id']}?_elements=nom,note", headers={"Prefer": "handling=lenient"})
    assert (answer.status_code, "note" in answer.json()) == (200, True)


def test_an_outcome_in_a_searchset_is_never_cut(fhir: httpx.Client, stored: dict[str, Any]) -> None:
    url = f"/Observation?_id={stored['id']}&_summary=true&shoe=43"
    entries = fhir.get(url, headers={"Prefer": "handling=lenient"}).json()["entry"]
    (outcome,) = [entry["resource"] for entry in entries if entry["search"]["mode"] == "outcome"]
    assert "meta" not in outcome and outcome["issue"][0]["details"]["text"]


def test_pages_keep_what_was_asked_for(fhir: httpx.Client) -> None:
    for _ in range(2):
        fhir.post("/Observation", json=OBSERVATION)
    page = fhir.get("/Observation?_count=1&_elements=note&_format=json").json()
    following = next(link["url"] for link in page["link"] if link["relation"] == "next")
    resource = fhir.get(following).json()["entry"][0]["resource"]
    assert SUBSETTED in resource["meta"]["tag"] and "component" not in resource


def test_a_subset_is_served_in_xml_and_in_a_batch(fhir: httpx.Client, stored: dict[str, Any]) -> None:
    path = f"Observation/{stored['id']}"
    text = fhir.get(f"/{path}?_summary=true&_format=xml").text
    assert '<code value="SUBSETTED"/>' in text and "<note>" not in text
    bundle = {
        "resourceType": "Bundle",
        "type": "batch",
        "entry": [{"request": {"method": "GET", "url": f"{path}?_elements=note"}}],
    }
    (entry,) = fhir.post("/", json=bundle).json()["entry"]
    assert SUBSETTED in entry["resource"]["meta"]["tag"] and "component" not in entry["resource"]


def test_a_bundle_that_is_stored_is_a_resource_like_any_other(fhir: httpx.Client) -> None:
    body = {"resourceType": "Bundle", "type": "searchset", "entry": [{"resource": OBSERVATION}]}
    stored = fhir.post("/Bundle", json=body).json()
    read = fhir.get(f"/Bundle/{stored['id']}?_summary=true").json()
    vread = fhir.get(f"/Bundle/{stored['id']}/_history/1?_summary=true").json()
    (entry,) = fhir.get(f"/Bundle?_id={stored['id']}&_summary=true").json()["entry"]
    assert read == vread == entry["resource"]
    assert read["meta"]["tag"] == [SUBSETTED]
    assert read["entry"] == [{"resource": OBSERVATION}]


def test_what_is_read_as_a_subset_is_stored_whole(fhir: httpx.Client, stored: dict[str, Any]) -> None:
    fhir.get(f"/Observation/{stored['id']}?_summary=true")
    assert fhir.get(f"/Observation/{stored['id']}").json() == stored


@pytest.mark.parametrize("name", ["Patient-example", "DocumentReference-example", "CarePlan-example", "Bundle-101"])
def test_the_summary_of_an_official_file_is_a_resource_in_itself(fhir: httpx.Client, name: str) -> None:
    resource = json.loads(official(name))
    created = fhir.post(f"/{resource['resourceType']}", json=resource).json()
    cut = fhir.get(f"/{resource['resourceType']}/{created['id']}?_summary=true").json()
    again = fhir.post(f"/{resource['resourceType']}", json=cut, headers={"X-Ecluse-Validation": "structure"})
    assert again.status_code == 201, again.text
    assert len(json.dumps(cut)) <= len(json.dumps(created)) + len(json.dumps(SUBSETTED)) + 20

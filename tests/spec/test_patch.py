"""http://hl7.org/fhir/R4/http.html#patch, in each format."""

from __future__ import annotations

import base64
import concurrent.futures
import json
import uuid
from typing import Any

import httpx
import pytest

JSON_PATCH = "application/json-patch+json"
XML_PATCH = "application/xml-patch+xml"
MERGE_PATCH = "application/merge-patch+json"
FHIRPATH = "application/fhir+json"
PATIENT = {"resourceType": "Patient", "gender": "male", "name": [{"family": "Lemaire", "given": ["Anne"]}]}


def _created(client: httpx.Client, **given: Any) -> str:
    return str(client.post("/Patient", json={**PATIENT, **given}).json()["id"])


def _patch(client: httpx.Client, address: str, media: str, patch: Any, **headers: str) -> httpx.Response:
    return client.patch(address, content=_text(patch), headers={"Content-Type": media, **headers})


def _text(patch: Any) -> str:
    return patch if isinstance(patch, str) else json.dumps(patch)


def _fhirpath(kind: str, path: str, **parts: Any) -> dict[str, Any]:
    given = {"type": {"valueCode": kind}, "path": {"valueString": path}, **parts}
    part = [{"name": name, **value} for name, value in given.items()]
    return {"resourceType": "Parameters", "parameter": [{"name": "operation", "part": part}]}


def _diff(operation: str) -> str:
    return f'<diff xmlns:f="http://hl7.org/fhir">{operation}</diff>'


SAME = [
    (XML_PATCH, _diff('<replace sel="f:Patient/f:gender/@value">female</replace>')),
    (JSON_PATCH, [{"op": "replace", "path": "/gender", "value": "female"}]),
    (MERGE_PATCH, {"gender": "female"}),
    (FHIRPATH, _fhirpath("replace", "Patient.gender", value={"valueCode": "female"})),
    ("application/json", _fhirpath("replace", "Patient.gender", value={"valueCode": "female"})),
]


@pytest.mark.parametrize(("media", "patch"), SAME, ids=[media for media, _ in SAME])
def test_a_patch_makes_the_next_version_and_nothing_the_second_time(fhir: httpx.Client, media: str, patch: Any) -> None:
    resource_id = _created(fhir)
    answer = _patch(fhir, f"/Patient/{resource_id}", media, patch)
    assert (answer.status_code, answer.headers["etag"]) == (200, 'W/"2"')
    assert answer.headers["location"].endswith(f"/Patient/{resource_id}/_history/2")
    body = {name: value for name, value in answer.json().items() if name not in ("id", "meta")}
    assert body == {**PATIENT, "gender": "female"}
    again = _patch(fhir, f"/Patient/{resource_id}", media, patch, Prefer="return=minimal")
    assert (again.status_code, again.headers["etag"], again.content) == (200, 'W/"2"', b"")
    assert fhir.get(f"/Patient/{resource_id}/_history").json()["total"] == 2


def test_a_patched_resource_is_found_by_its_new_values(fhir: httpx.Client) -> None:
    family = f"f{uuid.uuid4().hex}"
    resource_id = _created(fhir)
    _patch(fhir, f"/Patient/{resource_id}", JSON_PATCH, [{"op": "replace", "path": "/name/0/family", "value": family}])
    assert fhir.get(f"/Patient?family={family}").json()["entry"][0]["resource"]["id"] == resource_id


def test_a_patch_keeps_the_lexemes_of_numbers(fhir: httpx.Client) -> None:
    sent = (
        b'{"resourceType":"Observation","status":"final","code":{"text":"x"},"valueQuantity":{"value":1.00},'
        b'"referenceRange":[{"low":{"value":0.3560}}]}'
    )
    headers = {"Content-Type": "application/fhir+json"}
    resource_id = fhir.post("/Observation", content=sent, headers=headers).json()["id"]
    patch = '[{"op":"add","path":"/referenceRange/0/high","value":{"value":2.50}}]'
    answer = fhir.patch(f"/Observation/{resource_id}", content=patch, headers={"Content-Type": JSON_PATCH})
    assert '"value":1.00}' in answer.text
    assert '"low":{"value":0.3560},"high":{"value":2.50}' in answer.text


def test_removing_the_last_item_leaves_the_element_out(fhir: httpx.Client) -> None:
    resource_id = _created(fhir)
    patch = [{"op": "remove", "path": "/name/0/given/0"}, {"op": "remove", "path": "/name/0/family"}]
    assert "name" not in _patch(fhir, f"/Patient/{resource_id}", JSON_PATCH, patch).json()


REFUSED = [
    (XML_PATCH, _diff('<remove sel="f:Patient/f:photo"/>'), "Patient", "selects 0 nodes"),
    (XML_PATCH, _diff('<replace sel="f:Patient/f:gender/@value"></replace>'), "Patient.gender", "code"),
    (XML_PATCH, _diff('<replace sel="f:Patient/f:id/@value">other</replace>'), "Patient.id", "the server's"),
    (JSON_PATCH, [{"op": "test", "path": "/gender", "value": "other"}], "Patient.gender", "Operation 0"),
    (JSON_PATCH, [{"op": "remove", "path": "/name/1"}], "Patient.name[1]", "does not exist"),
    (JSON_PATCH, [{"op": "replace", "path": "/gender", "value": 7}], "Patient.gender", "code expected"),
    (JSON_PATCH, [{"op": "add", "path": "/gendre", "value": "male"}], "Patient.gendre", "did you mean gender"),
    (JSON_PATCH, [{"op": "replace", "path": "/gender", "value": None}], "Patient.gender", "Leave out"),
    (JSON_PATCH, [{"op": "replace", "path": "/id", "value": "other"}], "Patient.id", "the server's"),
    (JSON_PATCH, [{"op": "remove", "path": "/id"}], "Patient.id", "the server's"),
    (
        JSON_PATCH,
        [{"op": "replace", "path": "/meta/versionId", "value": "9"}],
        "Patient.meta.versionId",
        "the server's",
    ),
    (
        JSON_PATCH,
        [{"op": "replace", "path": "/resourceType", "value": "Basic"}],
        "Patient.resourceType",
        "the server's",
    ),
    (JSON_PATCH, [{"op": "add", "path": "", "value": [1]}], None, "no resource any more"),
    (MERGE_PATCH, {"id": "other"}, "Patient.id", "the server's"),
    (MERGE_PATCH, {"name": "Lemaire"}, "Patient.name", "repeats"),
    (MERGE_PATCH, {"meta": 7}, "Patient.meta", "JSON object"),
    (FHIRPATH, _fhirpath("replace", "Patient.photo", value={"valueCode": "x"}), "Patient.photo", "selects nothing"),
    (FHIRPATH, _fhirpath("replace", "Patient.id", value={"valueId": "other"}), "Patient.id", "the server's"),
]


@pytest.mark.parametrize(("media", "patch", "place", "words"), REFUSED)
def test_a_patch_that_cannot_be_made_answers_422_and_writes_nothing(
    fhir: httpx.Client, media: str, patch: Any, place: str | None, words: str
) -> None:
    resource_id = _created(fhir)
    answer = _patch(fhir, f"/Patient/{resource_id}", media, patch)
    assert answer.status_code == 422
    issue = answer.json()["issue"][0]
    assert issue.get("expression") == ([place] if place else None)
    assert words in issue["details"]["text"]
    assert fhir.get(f"/Patient/{resource_id}").headers["etag"] == 'W/"1"'


@pytest.mark.parametrize(
    ("media", "text"),
    [
        (JSON_PATCH, "{}"),
        (JSON_PATCH, '[{"op":"add"}]'),
        (JSON_PATCH, "[" * 200),
        (JSON_PATCH, ""),
        (XML_PATCH, "<diff>"),
        (XML_PATCH, _diff("<spam/>")),
        (MERGE_PATCH, "[]"),
        (MERGE_PATCH, '{"a":'),
        (FHIRPATH, "{}"),
        (FHIRPATH, json.dumps(PATIENT)),
        (FHIRPATH, json.dumps({"resourceType": "Parameters", "parameter": [{"name": "x"}]})),
        (FHIRPATH, json.dumps(_fhirpath("delete", "Patient.name."))),
    ],
)
def test_a_patch_that_cannot_be_read_answers_400(fhir: httpx.Client, media: str, text: str) -> None:
    answer = fhir.patch(f"/Patient/{_created(fhir)}", content=text, headers={"Content-Type": media})
    assert (answer.status_code, answer.json()["resourceType"]) == (400, "OperationOutcome")


def test_another_format_answers_415_with_those_there_are(fhir: httpx.Client) -> None:
    answer = fhir.patch("/Patient/x", content="x", headers={"Content-Type": "text/plain"})
    assert answer.status_code == 415
    told = answer.json()["issue"][0]["details"]["text"]
    formats = fhir.get("/metadata").json()["patchFormat"]
    assert JSON_PATCH in formats
    assert all(media in told for media in formats)


def test_a_patch_of_what_is_not_there_answers_404_and_410(fhir: httpx.Client) -> None:
    resource_id = _created(fhir)
    fhir.delete(f"/Patient/{resource_id}")
    answers = [_patch(fhir, f"/Patient/{one}", MERGE_PATCH, {"gender": "male"}) for one in ("nobody", resource_id)]
    assert [answer.status_code for answer in answers] == [404, 410]
    assert fhir.get("/Patient/nobody/_history").status_code == 404


def test_if_match_guards_a_patch(fhir: httpx.Client) -> None:
    resource_id = _created(fhir)
    stale = _patch(fhir, f"/Patient/{resource_id}", MERGE_PATCH, {"active": True}, **{"If-Match": 'W/"2"'})
    assert (stale.status_code, stale.headers["etag"]) == (412, 'W/"1"')
    good = _patch(fhir, f"/Patient/{resource_id}", MERGE_PATCH, {"active": True}, **{"If-Match": 'W/"1"'})
    assert (good.status_code, good.headers["etag"]) == (200, 'W/"2"')


def test_conditional_patch_patches_the_one_match(fhir: httpx.Client) -> None:
    value = str(uuid.uuid4())
    criteria = f"/Patient?identifier=urn:test|{value}"
    assert _patch(fhir, criteria, MERGE_PATCH, {"active": True}).status_code == 404
    resource_id = _created(fhir, identifier=[{"system": "urn:test", "value": value}])
    answer = _patch(fhir, criteria, MERGE_PATCH, {"active": True})
    assert (answer.status_code, answer.json()["id"], answer.json()["active"]) == (200, resource_id, True)
    _created(fhir, identifier=[{"system": "urn:test", "value": value}])
    assert _patch(fhir, criteria, MERGE_PATCH, {"active": False}).status_code == 412
    assert _patch(fhir, "/Patient", MERGE_PATCH, {"active": False}).status_code == 400


def test_twenty_parallel_patches_of_different_elements_all_take_effect(fhir: httpx.Client) -> None:
    value = str(uuid.uuid4())
    resource_id = _created(fhir, identifier=[{"system": "urn:test", "value": value}])
    addresses = [f"/Patient/{resource_id}", f"/Patient?identifier=urn:test|{value}"]

    def patch(number: int) -> int:
        extension = {"url": f"urn:test:{number}", "valueInteger": number}
        added = [{"op": "add", "path": "/name/0/given/-", "value": f"n{number}"}]
        media, body = (JSON_PATCH, added) if number % 4 else (FHIRPATH, _given(extension))
        return _patch(fhir, addresses[number % 2], media, body).status_code

    def _given(extension: dict[str, Any]) -> dict[str, Any]:
        parts = [{"name": "url", "valueUri": extension["url"]}, {"name": "value", "valueInteger": 1}]
        return _fhirpath("add", "Patient", name={"valueString": "extension"}, value={"part": parts})

    with concurrent.futures.ThreadPoolExecutor(20) as pool:
        assert set(pool.map(patch, range(20))) == {200}
    patient = fhir.get(f"/Patient/{resource_id}").json()
    assert patient["meta"]["versionId"] == "21"
    assert sorted(patient["name"][0]["given"]) == sorted(
        ["Anne", *(f"n{number}" for number in range(20) if number % 4)]
    )
    assert len(patient["extension"]) == 5


def test_a_patch_may_not_lead_to_another_site(fhir: httpx.Client) -> None:
    other = str(fhir.base_url).replace("/fhir/", "/sites/north/fhir/Organization/1")
    answer = _patch(fhir, f"/Patient/{_created(fhir)}", MERGE_PATCH, {"managingOrganization": {"reference": other}})
    assert answer.status_code == 422


def _binary(media: str, patch: Any) -> dict[str, Any]:
    data = base64.b64encode(_text(patch).encode()).decode()
    return {"resourceType": "Binary", "contentType": media, "data": data}


def test_a_batch_carries_patches_as_parameters_or_binary(fhir: httpx.Client) -> None:
    ids = [_created(fhir) for _ in SAME]
    patches = [patch if media in (FHIRPATH, "application/json") else _binary(media, patch) for media, patch in SAME]
    entries = [
        {"resource": patch, "request": {"method": "PATCH", "url": f"Patient/{resource_id}"}}
        for resource_id, patch in zip(ids, patches, strict=True)
    ]
    answer = fhir.post("/", json={"resourceType": "Bundle", "type": "batch", "entry": entries}).json()
    assert [entry["response"]["status"] for entry in answer["entry"]] == ["200 OK"] * len(SAME)
    assert {fhir.get(f"/Patient/{resource_id}").json()["gender"] for resource_id in ids} == {"female"}


@pytest.mark.parametrize("media", ["text/plain", FHIRPATH])
def test_a_binary_of_no_patch_is_refused(fhir: httpx.Client, media: str) -> None:
    answer = _patch(fhir, f"/Patient/{_created(fhir)}", FHIRPATH, _binary(media, {"resourceType": "Binary"}))
    assert answer.status_code in (400, 415)


def test_a_fhirpath_patch_comes_in_xml_too(fhir: httpx.Client) -> None:
    part = '<part><name value="{}"/><{} value="{}"/></part>'
    parts = [
        ("type", "valueCode", "replace"),
        ("path", "valueString", "Patient.gender"),
        ("value", "valueCode", "female"),
    ]
    inside = "".join(part.format(*one) for one in parts)
    body = (
        f'<Parameters xmlns="http://hl7.org/fhir"><parameter><name value="operation"/>{inside}</parameter></Parameters>'
    )
    answer = fhir.patch(
        f"/Patient/{_created(fhir)}",
        content=body,
        headers={"Content-Type": "application/fhir+xml", "Accept": "application/fhir+xml"},
    )
    assert (answer.status_code, '<gender value="female"/>' in answer.text) == (200, True)


def test_a_binary_itself_is_patched(fhir: httpx.Client) -> None:
    binary = {"resourceType": "Binary", "contentType": "text/plain", "data": "eA=="}
    resource_id = fhir.post("/Binary", json=binary).json()["id"]
    patch = [{"op": "replace", "path": "/data", "value": "eQ=="}]
    answer = _patch(fhir, f"/Binary/{resource_id}", JSON_PATCH, patch, Accept=FHIRPATH)
    assert (answer.status_code, answer.json()["data"], answer.headers["etag"]) == (200, "eQ==", 'W/"2"')

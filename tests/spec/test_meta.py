"""http://hl7.org/fhir/R4/resource-operation-meta.html, -add and -delete."""

from __future__ import annotations

import uuid
from typing import Any

import httpx
import pytest


def _meta(answer: httpx.Response) -> dict[str, Any]:
    """The Meta of an answer, without version and instant."""
    assert answer.status_code == 200, answer.text
    parameters = answer.json()
    assert parameters["resourceType"] == "Parameters"
    found = {one["name"]: one["valueMeta"] for one in parameters.get("parameter", [])}.get("return", {})
    return {name: value for name, value in found.items() if name not in ("versionId", "lastUpdated")}


def _parameters(**meta: Any) -> dict[str, Any]:
    return {"resourceType": "Parameters", "parameter": [{"name": "meta", "valueMeta": meta}]}


@pytest.fixture
def tag() -> dict[str, str]:
    """A tag that no other test has."""
    return {"system": "urn:test:tags", "code": str(uuid.uuid4()), "display": "A tag"}


def test_tags_are_added_once_and_taken_away(fhir: httpx.Client, tag: dict[str, str]) -> None:
    resource_id = fhir.post("/Patient", json={"resourceType": "Patient", "meta": {"source": "urn:s"}}).json()["id"]
    address = f"/Patient/{resource_id}"
    wanted = _parameters(tag=[tag], profile=["http://test.example/p"], security=[{"code": "N"}])
    added = fhir.post(f"{address}/$meta-add", json=wanted)
    expected = {"source": "urn:s", "profile": ["http://test.example/p"], "security": [{"code": "N"}], "tag": [tag]}
    assert (_meta(added), added.headers["etag"]) == (expected, 'W/"2"')
    assert _meta(fhir.get(f"{address}/$meta")) == expected
    assert _meta(fhir.get(f"{address}/_history/1/$meta")) == {"source": "urn:s"}
    assert fhir.get(f"/Patient?_tag={tag['system']}|{tag['code']}").json()["entry"][0]["resource"]["id"] == resource_id
    again = fhir.post(f"{address}/$meta-add", json=_parameters(tag=[{**tag, "display": "Another name"}]))
    assert (_meta(again)["tag"], again.headers["etag"]) == ([tag], 'W/"2"')
    taken = fhir.post(f"{address}/$meta-delete", json=_parameters(tag=[{"system": tag["system"], "code": tag["code"]}]))
    assert ("tag" in _meta(taken), taken.headers["etag"]) == (False, 'W/"3"')
    absent = fhir.post(f"{address}/$meta-delete", json=_parameters(tag=[tag]))
    assert absent.headers["etag"] == 'W/"3"'
    assert "entry" not in fhir.get(f"/Patient?_tag={tag['system']}|{tag['code']}").json()


def test_meta_of_type_and_site_has_each_value_once(fhir: httpx.Client, tag: dict[str, str]) -> None:
    other = {"code": tag["code"]}
    profile = f"http://test.example/{tag['code']}"
    bodies = [{"tag": [tag]}, {"tag": [tag, other], "security": [tag]}, {"profile": [profile]}, {"profile": [profile]}]
    for meta in bodies:
        fhir.post("/Linkage", json=_linkage(meta))
    for address in ("/Linkage/$meta", "/$meta"):
        found = _meta(fhir.get(address))
        own = [one for one in found["tag"] if one["code"] == tag["code"]]
        assert sorted(own, key=len) == [other, tag]
        assert [one for one in found["security"] if one["code"] == tag["code"]] == [tag]
        assert found["profile"].count(profile) == 1
    assert _meta(fhir.get("/VerificationResult/$meta")) == {}


def _linkage(meta: dict[str, Any]) -> dict[str, Any]:
    items = [{"type": kind, "resource": {"display": "x"}} for kind in ("source", "alternate")]
    return {"resourceType": "Linkage", "meta": meta, "item": items}


def test_meta_of_what_is_not_there_answers_404_and_410(fhir: httpx.Client, tag: dict[str, str]) -> None:
    resource_id = fhir.post("/Patient", json={"resourceType": "Patient"}).json()["id"]
    fhir.delete(f"/Patient/{resource_id}")
    for one, status in (("nobody", 404), (resource_id, 410)):
        assert fhir.get(f"/Patient/{one}/$meta").status_code == status
        assert fhir.post(f"/Patient/{one}/$meta-add", json=_parameters(tag=[tag])).status_code == status


@pytest.mark.parametrize(
    "body",
    [
        {"resourceType": "Parameters"},
        _parameters(source="urn:x"),
        {"resourceType": "Parameters", "parameter": [{"name": "meta", "valueString": "x"}]},
        {"resourceType": "Parameters", "parameter": [{"name": "mata", "valueMeta": {"tag": [{"code": "x"}]}}]},
        {"resourceType": "Parameters", "parameter": [{"name": "meta", "valueMeta": {"tag": [{"kode": "x"}]}}]},
        {"resourceType": "Patient"},
    ],
)
@pytest.mark.parametrize("operation", ["$meta-add", "$meta-delete"])
def test_what_is_no_meta_answers_400_and_writes_nothing(
    fhir: httpx.Client, operation: str, body: dict[str, Any]
) -> None:
    resource_id = fhir.post("/Patient", json={"resourceType": "Patient"}).json()["id"]
    assert fhir.post(f"/Patient/{resource_id}/{operation}", json=body).status_code == 400
    assert fhir.get(f"/Patient/{resource_id}").headers["etag"] == 'W/"1"'


def test_changes_of_meta_are_posted_and_obey_if_match(fhir: httpx.Client, tag: dict[str, str]) -> None:
    resource_id = fhir.post("/Patient", json={"resourceType": "Patient"}).json()["id"]
    address = f"/Patient/{resource_id}/$meta-add"
    assert fhir.get(address).status_code == 405
    assert fhir.post(address, json=_parameters(tag=[tag]), headers={"If-Match": 'W/"2"'}).status_code == 412
    assert fhir.post(address, json=_parameters(tag=[tag]), headers={"If-Match": 'W/"1"'}).status_code == 200


def test_the_operations_are_declared(fhir: httpx.Client) -> None:
    rest = fhir.get("/metadata").json()["rest"][0]
    assert "meta" in {one["name"] for one in rest["operation"]}
    declared = {one["name"] for one in rest["resource"][0]["operation"]}
    assert {"meta", "meta-add", "meta-delete"} <= declared

"""http://hl7.org/fhir/R4/http.html#capabilities: what it says is what is served, and all of it is used here."""

from __future__ import annotations

import concurrent.futures
import json
from collections.abc import Callable
from typing import Any

import httpx
import pytest

from ecluse.core.fhir import types
from ecluse.core.fhir.explain import problems
from fhir_server.operations.registry import operations
from mappers.search.composite import contexts
from tests.official import official_files

VALUES = {
    "date": "2020",
    "string": "x",
    "token": "x",
    "reference": "x1",
    "uri": "urn:x",
    "number": "1",
    "quantity": "1",
    "special": "48.84|2.36|5|km",
}
HEADERS = {"Content-Type": "application/fhir+json", "Prefer": "return=minimal"}
TAG = {"system": "urn:crawl", "code": "seen"}
UNKNOWN = (404, 405, 501)


@pytest.fixture(scope="module")
def statement(fhir: httpx.Client) -> dict[str, Any]:
    """The CapabilityStatement."""
    answer = fhir.get("/metadata")
    assert answer.status_code == 200
    found: dict[str, Any] = answer.json()
    return found


@pytest.fixture(scope="module")
def examples() -> dict[str, bytes]:
    """The smallest official example of each type; of some there is none, and nothing that they require."""
    found: dict[str, bytes] = {}
    for path in sorted(official_files(), key=lambda path: path.stat().st_size):
        found.setdefault(json.loads(path.read_bytes())["resourceType"], path.read_bytes())
    return {name: json.dumps({"resourceType": name}).encode() for name in types.number_of} | found


def codes(holder: dict[str, Any]) -> set[str]:
    """The interactions of a resource or of the server."""
    return {interaction["code"] for interaction in holder["interaction"]}


def test_it_is_itself_a_resource_as_it_should_be(statement: dict[str, Any]) -> None:
    assert problems("CapabilityStatement", statement) == []
    assert (statement["fhirVersion"], len(statement["rest"][0]["resource"])) == ("4.0.1", 146)


def test_every_search_parameter_that_it_names_is_served(fhir: httpx.Client, statement: dict[str, Any]) -> None:
    asked = [(r["type"], p) for r in statement["rest"][0]["resource"] for p in r["searchParam"]]
    assert len(asked) > 1000

    def search(pair: tuple[str, dict[str, str]]) -> httpx.Response:
        resource_type, parameter = pair
        kinds = [parameter["type"]]
        if kinds == ["composite"]:
            kinds = [part.parameter.type for part in contexts(resource_type, parameter["name"])[0].components]
        value = "$".join(VALUES[kind] for kind in kinds)
        return fhir.get(f"/{resource_type}?{parameter['name']}={value}&_count=1")

    with concurrent.futures.ThreadPoolExecutor(4) as pool:
        for pair, answer in zip(asked, pool.map(search, asked), strict=True):
            assert answer.status_code == 200, (pair, answer.text)


def test_every_parameter_that_it_names_for_all_types_is_served(fhir: httpx.Client, statement: dict[str, Any]) -> None:
    asked = {
        "_filter": '/Patient?_filter=given eq "x"',
        "_has": "/Patient?_has:Observation:patient:code=x",
        "_list": "/Patient?_list=x",
        "_type": "/?_type=Patient&_id=x",
    }
    assert [one["name"] for one in statement["rest"][0]["searchParam"]] == list(asked)
    for text in asked.values():
        assert fhir.get(text).status_code == 200, text


def test_every_include_that_it_names_is_served_and_a_reference_is_there_for_each(
    fhir: httpx.Client, statement: dict[str, Any]
) -> None:
    resources = statement["rest"][0]["resource"]
    asked = [
        (resource["type"], "&".join(f"{name}={text}" for text in resource[member][first : first + 90]))
        for resource in resources
        for name, member in (("_include", "searchInclude"), ("_revinclude", "searchRevInclude"))
        for first in range(0, len(resource[member]), 90)
    ]
    with concurrent.futures.ThreadPoolExecutor(4) as pool:
        for pair, answer in zip(
            asked, pool.map(lambda pair: fhir.get(f"/{pair[0]}?_id=x&{pair[1]}"), asked), strict=True
        ):
            assert answer.status_code == 200, (pair, answer.text)
    references = {f"{r['type']}:{p['name']}" for r in resources for p in r["searchParam"] if p["type"] == "reference"}
    assert {text for r in resources for text in r["searchInclude"]} == references | {"*"}
    assert {text for r in resources for text in r["searchRevInclude"]} == references | {"*"}


def test_every_compartment_that_it_names_can_be_searched(fhir: httpx.Client, statement: dict[str, Any]) -> None:
    named = [url.rpartition("/")[2] for url in statement["rest"][0]["compartment"]]
    assert named == ["device", "encounter", "patient", "practitioner", "relatedPerson"]
    for name in named:
        assert fhir.get(f"/{name[0].upper()}{name[1:]}/x/*?_count=1").status_code == 200


def test_every_interaction_that_it_names_works_for_every_type(
    fhir: httpx.Client, statement: dict[str, Any], examples: dict[str, bytes]
) -> None:
    resources = statement["rest"][0]["resource"]
    with concurrent.futures.ThreadPoolExecutor(4) as pool:
        used = list(pool.map(lambda one: _use(fhir, one, examples[one["type"]]), resources))
    for resource, done in zip(resources, used, strict=True):
        assert done == codes(resource), resource["type"]


def _use(fhir: httpx.Client, declared: dict[str, Any], example: bytes) -> set[str]:
    """Uses what is declared for a type; the interactions that worked."""
    kind = declared["type"]
    created = fhir.post(f"/{kind}", content=example, headers=HEADERS)
    address = "/" + "/".join(created.headers["location"].split("/")[-4:-2])
    body = {**fhir.get(address).json(), "implicitRules": "urn:crawl"}
    patch = json.dumps([{"op": "add", "path": "/language", "value": "fr"}]).encode()
    calls: dict[str, Callable[[], httpx.Response]] = {
        "read": lambda: fhir.get(address),
        "vread": lambda: fhir.get(f"{address}/_history/1"),
        "update": lambda: fhir.put(address, json=body, headers=HEADERS),
        "patch": lambda: fhir.patch(address, content=patch, headers={"Content-Type": "application/json-patch+json"}),
        "history-instance": lambda: fhir.get(f"{address}/_history"),
        "history-type": lambda: fhir.get(f"/{kind}/_history?_count=1"),
        "search-type": lambda: fhir.get(f"/{kind}?_id=x"),
        "delete": lambda: fhir.delete(address),
    }
    done = {"create"} if created.status_code == 201 else set()
    return done | {name for name, call in calls.items() if call().status_code in (200, 204)}


def test_conditions_are_taken_as_it_says(fhir: httpx.Client, statement: dict[str, Any]) -> None:
    patient = {"resourceType": "Patient", "identifier": [{"system": "urn:crawl", "value": "1"}]}
    declared = next(one for one in statement["rest"][0]["resource"] if one["type"] == "Patient")
    criteria = "identifier=urn:crawl|1"
    assert declared["conditionalCreate"] and declared["conditionalUpdate"]
    assert fhir.post("/Patient", json=patient, headers={"If-None-Exist": criteria}).status_code == 201
    assert fhir.post("/Patient", json=patient, headers={"If-None-Exist": criteria}).status_code == 200
    assert fhir.put(f"/Patient?{criteria}", json={**patient, "active": True}).status_code == 200
    assert declared["conditionalRead"] == "full-support"
    read = fhir.get(f"/Patient/{fhir.get(f'/Patient?{criteria}').json()['entry'][0]['resource']['id']}")
    address = f"/Patient/{read.json()['id']}"
    assert fhir.get(address, headers={"If-None-Match": read.headers["etag"]}).status_code == 304
    assert fhir.get(address, headers={"If-Modified-Since": read.headers["last-modified"]}).status_code == 304
    assert declared["conditionalDelete"] in ("single", "multiple")
    assert fhir.delete(f"/Patient?{criteria}").status_code in (200, 204)


def test_every_format_that_it_names_is_written_and_read(fhir: httpx.Client, statement: dict[str, Any]) -> None:
    for name in statement["format"]:
        answer = fhir.get(f"/metadata?_format={name.replace('+', '%2B')}")
        assert answer.status_code == 200, name
        assert name.split("+")[-1] in answer.headers["content-type"]
    for media in statement["patchFormat"]:
        answer = fhir.patch("/Patient/nobody", content=b"", headers={"Content-Type": media})
        assert answer.status_code in (400, 404), media
    assert fhir.patch("/Patient/nobody", content=b"", headers={"Content-Type": "text/x"}).status_code == 415


def test_the_interactions_of_the_whole_system_work(fhir: httpx.Client, statement: dict[str, Any]) -> None:
    calls: dict[str, Callable[[], httpx.Response]] = {
        "transaction": lambda: fhir.post("/", json={"resourceType": "Bundle", "type": "transaction"}),
        "batch": lambda: fhir.post("/", json={"resourceType": "Bundle", "type": "batch"}),
        "history-system": lambda: fhir.get("/_history?_count=1"),
        "search-system": lambda: fhir.get("/?_count=1"),
    }
    assert codes(statement["rest"][0]) == {name for name, call in calls.items() if call().status_code == 200}


def test_every_operation_that_it_names_is_served_and_no_other_is(fhir: httpx.Client, statement: dict[str, Any]) -> None:
    rest = statement["rest"][0]
    named = {operation["name"] for holder in (rest, *rest["resource"]) for operation in holder.get("operation", ())}
    assert named == {operation.name for operation in operations()}
    for resource in rest["resource"]:
        for operation in resource.get("operation", ()):
            assert _is_served(fhir, resource["type"], operation["name"]), (resource["type"], operation)
        assert not _is_served(fhir, resource["type"], "no-such-operation")
    for operation in rest.get("operation", ()):
        assert _is_served(fhir, "", operation["name"]), operation


def _is_served(fhir: httpx.Client, resource_type: str, name: str) -> bool:
    """Whether OPTIONS finds the operation at one of its levels."""
    places = ["", "/x", "/x/_history/1"] if resource_type else [""]
    addresses = [f"/{resource_type}{place}/${name}" if resource_type else f"/${name}" for place in places]
    return any("POST" in fhir.options(address).headers.get("allow", "") for address in addresses)

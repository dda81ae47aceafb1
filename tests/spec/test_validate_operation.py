"""$validate tells everything that is wrong, and stores nothing.

Spec: http://hl7.org/fhir/R4/resource-operation-validate.html
"""

from __future__ import annotations

from typing import Any

import httpx
import pytest

JSON = {"Content-Type": "application/fhir+json"}
PATIENT = {
    "resourceType": "Patient",
    "text": {"status": "generated", "div": '<div xmlns="http://www.w3.org/1999/xhtml">A</div>'},
}


def issues(answer: httpx.Response) -> list[tuple[str, str, str]]:
    """Severity, code and place of each issue."""
    assert answer.headers["content-type"].startswith("application/fhir+json")
    outcome = answer.json()
    assert outcome["resourceType"] == "OperationOutcome"
    return [(one["severity"], one["code"], one.get("expression", [""])[0]) for one in outcome["issue"]]


def parameters(**given: Any) -> dict[str, Any]:
    """A Parameters resource: `resource` as such, texts as codes and URLs."""
    told = [
        {"name": name, "resource": value}
        if name == "resource"
        else {"name": name, ("valueUri" if name == "profile" else "valueCode"): value}
        for name, value in given.items()
    ]
    return {"resourceType": "Parameters", "parameter": told}


def test_a_clean_resource_gets_one_information(fhir: httpx.Client) -> None:
    answer = fhir.post("/Patient/$validate", json=PATIENT, headers=JSON)
    assert (answer.status_code, issues(answer)) == (200, [("information", "informational", "Patient")])


def test_structure_rules_and_best_practice_are_told_together(fhir: httpx.Client) -> None:
    wrong = {"resourceType": "Patient", "nosuch": 1, "gender": "x", "contact": [{"gender": "male"}], "active": "yes"}
    answer = fhir.post("/Patient/$validate", json=wrong, headers=JSON)
    assert answer.status_code == 200
    assert issues(answer) == [
        ("error", "structure", "Patient.nosuch"),
        ("error", "value", "Patient.active"),
        ("error", "code-invalid", "Patient.gender"),
        ("error", "invariant", "Patient.contact[0]"),
        ("warning", "invariant", "Patient"),
    ]
    assert all(one["details"]["text"] for one in answer.json()["issue"])


def test_nothing_is_stored(fhir: httpx.Client) -> None:
    body = PATIENT | {"identifier": [{"system": "http://v", "value": "only-validated"}]}
    assert fhir.post("/Patient/$validate", json=body, headers=JSON).status_code == 200
    assert "entry" not in fhir.get("/Patient?identifier=http://v|only-validated").json()


def test_the_resource_may_come_in_parameters(fhir: httpx.Client) -> None:
    body = parameters(resource={"resourceType": "Patient", "gender": "x"}, mode="create")
    answer = fhir.post("/Patient/$validate", json=body, headers=JSON)
    assert answer.status_code == 200
    assert ("error", "code-invalid", "Parameters.parameter[0].resource.gender") in issues(answer)


def test_another_type_than_that_of_the_address_is_an_error(fhir: httpx.Client) -> None:
    answer = fhir.post("/Observation/$validate", json=PATIENT, headers=JSON)
    assert (answer.status_code, issues(answer)) == (200, [("error", "value", "Patient.resourceType")])


def test_what_is_no_json_is_told_with_its_place(fhir: httpx.Client) -> None:
    answer = fhir.post("/Patient/$validate", content=b'{"resourceType":"Patient","name":[}', headers=JSON)
    assert (answer.status_code, issues(answer)) == (200, [("error", "structure", "Patient.name[0]")])


def test_an_update_needs_the_id_of_the_address(fhir: httpx.Client) -> None:
    for given, found in (({}, "Patient.id"), ({"id": "b"}, "Patient.id"), ({"id": "a"}, "Patient")):
        answer = fhir.post("/Patient/a/$validate?mode=update", json=PATIENT | given, headers=JSON)
        assert answer.status_code == 200
        assert issues(answer)[0][2] == found


def test_what_is_stored_can_be_validated_and_its_deletion(fhir: httpx.Client) -> None:
    created = fhir.post(
        "/Patient", json={"resourceType": "Patient"}, headers=JSON | {"Prefer": "return=representation"}
    )
    address = f"/Patient/{created.json()['id']}"
    assert issues(fhir.get(f"{address}/$validate")) == [("warning", "invariant", "Patient")]
    assert issues(fhir.post(f"{address}/$validate?mode=delete")) == [("information", "informational", "Patient")]
    assert fhir.get(address).status_code == 200
    assert issues(fhir.post("/Patient/nobody/$validate?mode=delete")) == [("error", "not-found", "Patient")]
    assert fhir.get("/Patient/nobody/$validate").status_code == 404


@pytest.mark.parametrize(
    ("address", "body", "place"),
    [
        ("/Patient/$validate?mode=deep", PATIENT, ""),
        ("/Patient/$validate?mode=update", PATIENT, ""),
        ("/Patient/$validate?mode=delete", None, ""),
        ("/Patient/$validate?mode=profile", PATIENT, ""),
        ("/Patient/$validate", parameters(mode="create"), ""),
        ("/Patient/$validate", parameters(resource=PATIENT, mode="x"), "Parameters.parameter[1]"),
        ("/Patient/$validate?depth=1", PATIENT, ""),
    ],
)
def test_a_call_that_means_nothing_is_a_400(fhir: httpx.Client, address: str, body: Any, place: str) -> None:
    answer = fhir.post(address, json=body, headers=JSON) if body else fhir.post(address)
    assert (answer.status_code, issues(answer)[0][2]) == (400, place)


def test_a_profile_of_r4_itself_is_known_and_another_one_is_told(fhir: httpx.Client) -> None:
    for url, severity in (("http://hl7.org/fhir/StructureDefinition/Patient", "information"), ("http://x/p", "error")):
        answer = fhir.post("/Patient/$validate", json=parameters(resource=PATIENT, mode="profile", profile=url))
        assert (answer.status_code, issues(answer)[0][0]) == (200, severity)


def test_the_operation_is_declared(fhir: httpx.Client) -> None:
    [rest] = fhir.get("/metadata").json()["rest"]
    patient = next(one for one in rest["resource"] if one["type"] == "Patient")
    definition = "http://hl7.org/fhir/OperationDefinition/Resource-validate"
    assert {"name": "validate", "definition": definition} in patient["operation"]


XML = {"Content-Type": "application/fhir+xml"}
N = 'xmlns="http://hl7.org/fhir"'
NARRATIVE = '<text><status value="generated"/><div xmlns="http://www.w3.org/1999/xhtml">A</div></text>'


@pytest.mark.parametrize(
    ("body", "told"),
    [
        (f"<Patient {N}><active", [("error", "structure", "Patient")]),
        ("not a document", [("error", "structure", "")]),
        (
            f'<Patient {N}><gendr value="male"/><active value="a"/></Patient>',
            [("error", "structure", "Patient.gendr"), ("error", "value", "Patient.active")],
        ),
        (
            f'<Parameters {N}><parameter><name value="resource"/><resource><Patient><x/></Patient></resource>'
            "</parameter></Parameters>",
            [("error", "structure", "Parameters.parameter[0].resource.x")],
        ),
    ],
)
def test_broken_xml_is_told_as_broken_json_is(fhir: httpx.Client, body: str, told: list[tuple[str, str, str]]) -> None:
    answer = fhir.post("/Patient/$validate", content=body, headers=XML)
    assert (answer.status_code, issues(answer)) == (200, told)
    assert all("line 1" in one["diagnostics"] for one in answer.json()["issue"])


def test_xml_in_another_order_than_the_schema_is_a_warning(fhir: httpx.Client) -> None:
    late = f'<Patient {N}>{NARRATIVE}<name><given value="b"/><family value="a"/></name><active value="true"/></Patient>'
    answer = fhir.post("/Patient/$validate", content=late, headers=XML)
    assert answer.status_code == 200
    assert issues(answer) == [
        ("warning", "structure", "Patient.name[0].family"),
        ("warning", "structure", "Patient.active"),
    ]
    assert "active before name" in answer.json()["issue"][1]["details"]["text"]
    assert answer.json()["issue"][1]["diagnostics"].startswith("line 1, column")
    ordered = late.replace('<active value="true"/>', "").replace("<name>", '<active value="true"/><name>')
    ordered = ordered.replace('<given value="b"/><family value="a"/>', '<family value="a"/><given value="b"/>')
    answer = fhir.post("/Patient/$validate", content=ordered, headers=XML)
    assert issues(answer) == [("information", "informational", "Patient")]


def test_an_address_without_the_operation_is_refused_whatever_the_body(fhir: httpx.Client) -> None:
    assert fhir.post("/Patint/$validate", content="<", headers=XML).status_code == 404

"""Every write is validated: structure is a 400, the rules of R4 are a 422, each problem at its place.

Spec: http://hl7.org/fhir/R4/validation.html, http://hl7.org/fhir/R4/http.html#create
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import httpx
import pytest

from tests.mutations import KINDS, Mutation, mutations
from tests.services.server import serving

JSON = {"Content-Type": "application/fhir+json"}
WRONG = {"resourceType": "Patient", "gender": "malee", "contact": [{"gender": "male"}]}
PLACES = [("Patient.gender", "code-invalid"), ("Patient.contact[0]", "invariant")]


def told(answer: httpx.Response) -> list[tuple[str, str]]:
    """Place and code of each error."""
    issues = answer.json()["issue"]
    return [(one.get("expression", [""])[0], one["code"]) for one in issues if one["severity"] == "error"]


def refused(client: httpx.Client, mutation: Mutation) -> str:
    """Empty when the mutation is refused at its place and nowhere else."""
    answer = client.post(f"/{mutation.type}", content=mutation.body, headers=JSON)
    rule_broken = mutation.code in ("code-invalid", "invariant") or mutation.kind == "wrong reference target"
    if answer.status_code != (422 if rule_broken else 400):
        return f"{answer.status_code} instead of {mutation.kind}"
    return "" if told(answer) == [(mutation.place, mutation.code)] else f"{told(answer)}"


def test_300_mutations_of_official_examples_are_refused_with_the_place_named(fhir: httpx.Client) -> None:
    assert len(mutations()) >= 300 and {one.kind for one in mutations()} == set(KINDS)
    wrong = {(one.file, one.place): found for one in mutations() if (found := refused(fhir, one))}
    assert wrong == {}


def test_every_problem_is_told_at_once_with_its_fix(fhir: httpx.Client) -> None:
    answer = fhir.post("/Patient", json=WRONG, headers=JSON)
    assert (answer.status_code, told(answer)) == (422, PLACES)
    assert answer.headers["content-type"].startswith("application/fhir+json")
    gender, contact = answer.json()["issue"]
    assert gender["details"]["text"].startswith("Use one of female, male, other, unknown")
    assert gender["diagnostics"] == 'found "malee"'
    assert "pat-1" in contact["details"]["text"]


def test_an_update_is_validated_too(fhir: httpx.Client) -> None:
    answer = fhir.put("/Patient/wrong", json=WRONG | {"id": "wrong"}, headers=JSON)
    assert (answer.status_code, told(answer)) == (422, PLACES)
    assert fhir.get("/Patient/wrong").status_code == 404


def bundle(kind: str, *resources: dict[str, Any]) -> dict[str, Any]:
    entries = [
        {
            "fullUrl": f"urn:uuid:00000000-0000-0000-0000-00000000000{index}",
            "resource": resource,
            "request": {"method": "POST", "url": resource["resourceType"]},
        }
        for index, resource in enumerate(resources)
    ]
    return {"resourceType": "Bundle", "type": kind, "entry": entries}


def test_a_transaction_with_a_broken_rule_is_a_422_and_leaves_nothing(fhir: httpx.Client) -> None:
    good = {"resourceType": "Patient", "identifier": [{"system": "http://v", "value": "transaction"}]}
    answer = fhir.post("", json=bundle("transaction", good, WRONG), headers=JSON)
    places = [(place.replace("Patient", "Bundle.entry[1].resource"), code) for place, code in PLACES]
    assert (answer.status_code, told(answer)) == (422, places)
    assert fhir.get("/Patient?identifier=http://v|transaction").json().get("entry") is None


def test_a_transaction_with_broken_structure_and_rule_is_a_400_that_tells_both(fhir: httpx.Client) -> None:
    unknown = {"resourceType": "Patient", "nosuch": 1}
    answer = fhir.post(
        "", json=bundle("transaction", unknown, {"resourceType": "Patient", "gender": "x"}), headers=JSON
    )
    assert answer.status_code == 400
    assert told(answer) == [
        ("Bundle.entry[0].resource.nosuch", "structure"),
        ("Bundle.entry[1].resource.gender", "code-invalid"),
    ]


def test_a_reference_to_another_entry_must_lead_to_a_type_that_the_element_takes(fhir: httpx.Client) -> None:
    link = {"reference": "urn:uuid:00000000-0000-0000-0000-000000000000"}
    practitioner = {"resourceType": "Practitioner"}
    for element, status in (("managingOrganization", 422), ("generalPractitioner", 200)):
        value: Any = [link] if element == "generalPractitioner" else link
        patient = {"resourceType": "Patient", element: value}
        answer = fhir.post("", json=bundle("transaction", practitioner, patient), headers=JSON)
        assert answer.status_code == status, answer.text
    assert told(fhir.post("", json=bundle("transaction", practitioner, patient | {"managingOrganization": link}))) == [
        ("Bundle.entry[1].resource.managingOrganization", "value")
    ]


def test_entries_of_a_batch_are_validated_by_themselves(fhir: httpx.Client) -> None:
    answer = fhir.post("", json=bundle("batch", WRONG, {"resourceType": "Patient"}), headers=JSON)
    first, second = answer.json()["entry"]
    assert (answer.status_code, second["response"]["status"]) == (200, "201 Created")
    assert first["response"]["status"].startswith("422")
    places = [one["expression"][0] for one in first["response"]["outcome"]["issue"]]
    assert places == ["Bundle.entry[0].resource.gender", "Bundle.entry[0].resource.contact[0]"]


def test_warnings_refuse_nothing(fhir: httpx.Client) -> None:
    assert fhir.post("/Patient", json={"resourceType": "Patient"}, headers=JSON).status_code == 201


@pytest.mark.parametrize(
    ("setting", "patient", "account"),
    [("structure", 201, 201), ("structure,Patient=base", 422, 201), ("base,Patient=structure", 201, 422)],
)
def test_the_depth_is_set_by_type(
    empty_database: str, tmp_path: Path, setting: str, patient: int, account: int
) -> None:
    wrong = {"resourceType": "Account", "status": "x"}
    with (
        serving(tmp_path, ECLUSE_DATABASE_URL=empty_database, ECLUSE_VALIDATION=setting) as served,
        httpx.Client(base_url=f"{served.url}/fhir", timeout=60) as client,
    ):
        assert client.post("/Patient", content=json.dumps(WRONG), headers=JSON).status_code == patient
        assert client.post("/Account", content=json.dumps(wrong), headers=JSON).status_code == account

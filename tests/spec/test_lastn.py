"""http://hl7.org/fhir/R4/observation-operation-lastn.html"""

from __future__ import annotations

import uuid
from typing import Any

import httpx
import pytest

LAB = "http://terminology.hl7.org/CodeSystem/observation-category|laboratory"
OBSERVATIONS: list[tuple[str, str, dict[str, Any], str]] = [
    ("a1", "a", {"effectiveDateTime": "2020-01-01"}, "laboratory"),
    ("a2", "a", {"effectiveDateTime": "2020-02-01T10:00:00Z"}, "laboratory"),
    ("a3", "a", {"effectivePeriod": {"start": "2020-01-15", "end": "2020-03-01"}}, "laboratory"),
    ("a3-tie", "a", {"effectiveInstant": "2020-03-01T00:00:00Z"}, "laboratory"),
    ("b1", "b", {"effectiveDateTime": "2020-05-01"}, "laboratory"),
    ("bc2", "b c", {"effectiveDateTime": "2020-06-01"}, "laboratory"),
    ("c3", "c", {"effectiveDateTime": "2020-07-01"}, "laboratory"),
    ("d-issued", "d", {"issued": "2020-04-01T00:00:00Z"}, "laboratory"),
    ("d-undated", "d", {}, "laboratory"),
    ("t1", "'Text'", {"effectiveDateTime": "2019"}, "laboratory"),
    ("t2", "'text'", {"effectiveDateTime": "2018"}, "laboratory"),
    ("vital", "a", {"effectiveDateTime": "2021-01-01"}, "vital-signs"),
]


@pytest.fixture(scope="module")
def world(fhir: httpx.Client) -> dict[str, str]:
    """Ids of the observations of one patient, and of one of somebody else; `sys`: the system of their codes."""
    system = f"urn:{uuid.uuid4()}"
    ids = {"sys": system}
    for patient in ("p", "q"):
        ids[patient] = fhir.post("/Patient", json={"resourceType": "Patient"}).json()["id"]
    for name, codes, when, category in [*OBSERVATIONS, ("other", "a", {"effectiveDateTime": "2022"}, "laboratory")]:
        coded = {"coding": [{"system": system, "code": code} for code in codes.split()]}
        kind = [{"coding": [{"system": LAB.split("|")[0], "code": category}]}]
        body = {"resourceType": "Observation", "status": "final", "category": kind, **when}
        body["code"] = {"text": codes.strip("'")} if codes.startswith("'") else coded
        body["subject"] = {"reference": f"Patient/{ids['q' if name == 'other' else 'p']}"}
        answer = fhir.post("/Observation", json=body)
        assert answer.status_code == 201, answer.text
        ids[name] = answer.json()["id"]
    return ids


def _found(bundle: dict[str, Any], world: dict[str, str]) -> list[str]:
    names = {resource_id: name for name, resource_id in world.items()}
    assert (bundle["type"], bundle["total"]) == ("searchset", len(bundle.get("entry", [])))
    return [names[entry["resource"]["id"]] for entry in bundle.get("entry", [])]


CASES = {
    f"patient={{p}}&category={LAB}": "c3 d-issued a3 a3-tie t1 t2",
    f"patient={{p}}&category={LAB}&max=1": "c3 d-issued a3 a3-tie t1 t2",
    f"subject=Patient/{{p}}&category={LAB}&max=2": "c3 bc2 d-issued a3 a3-tie t1 t2 d-undated",
    f"patient={{p}}&category={LAB}&max=3": "c3 bc2 b1 d-issued a3 a3-tie a2 t1 t2 d-undated",
    "patient={p}&code={sys}|a": "vital",
    "patient={p}&code={sys}|a&max=3": "vital a3 a3-tie",
    "patient={p}&code={sys}|a&date=eb2020-02-20": "a2",
    f"patient={{p}}&code={{sys}}|b&category={LAB}": "bc2",
    "patient={p}&code={sys}|nothing": "",
    "patient={q}&code={sys}|a": "other",
}


@pytest.mark.parametrize("case", CASES)
def test_of_each_group_of_equal_codes_the_last_ones_come(fhir: httpx.Client, world: dict[str, str], case: str) -> None:
    answer = fhir.get(f"/Observation/$lastn?{case.format(**world)}")
    assert answer.status_code == 200, answer.text
    found = _found(answer.json(), world)
    assert sorted(found) == sorted(CASES[case].split())
    assert [name for name in found if name not in ("a3", "a3-tie")] == [
        name for name in CASES[case].split() if name not in ("a3", "a3-tie")
    ]


def test_a_post_answers_the_same(fhir: httpx.Client, world: dict[str, str]) -> None:
    given = {"patient": world["p"], "code": f"{world['sys']}|a"}
    sent = [{"name": name, "valueString": text} for name, text in given.items()]
    sent.append({"name": "max", "valuePositiveInt": 2})  # type: ignore[dict-item]
    answer = fhir.post("/Observation/$lastn", json={"resourceType": "Parameters", "parameter": sent})
    assert answer.status_code == 200, answer.text
    assert _found(answer.json(), world)[0] == "vital"
    assert len(answer.json()["entry"]) == 3


@pytest.mark.parametrize(
    ("asked", "told"),
    [
        (f"category={LAB}", "whose"),
        ("patient=x", "category or code"),
        ("patient=x&code=a&max=0", "max"),
        ("patient=x&code=a&_count=3", "max"),
        ("patient=x&code=a&colour=red", "colour"),
    ],
)
def test_a_request_that_cannot_be_obeyed_answers_400(fhir: httpx.Client, asked: str, told: str) -> None:
    answer = fhir.get(f"/Observation/$lastn?{asked}")
    assert answer.status_code == 400
    assert told in answer.json()["issue"][0]["details"]["text"]


def test_it_stands_at_observations_only(fhir: httpx.Client) -> None:
    assert fhir.get("/Patient/$lastn?patient=x").status_code == 404
    assert fhir.get("/Observation/1/$lastn?patient=x").status_code == 404


def test_an_answer_that_would_be_too_long_is_refused_with_the_way_out(fhir: httpx.Client) -> None:
    patient = fhir.post("/Patient", json={"resourceType": "Patient"}).json()["id"]
    observation = {
        "resourceType": "Observation",
        "status": "final",
        "code": {"text": "many"},
        "subject": {"reference": f"Patient/{patient}"},
        "category": [{"text": "x", "coding": [{"code": "x"}]}],
    }
    entry = {"resource": observation, "request": {"method": "POST", "url": "Observation"}}
    bundle = {"resourceType": "Bundle", "type": "transaction", "entry": [entry] * 1001}
    assert fhir.post("/", json=bundle).status_code == 200
    tie = f"/Observation/$lastn?patient={patient}&category=x"
    answer = fhir.get(tie)
    assert answer.status_code == 422
    (issue,) = answer.json()["issue"]
    assert (issue["code"], issue["diagnostics"]) == ("too-costly", "found 1,001")
    assert "1,000 observations" in issue["details"]["text"] and "lower max" in issue["details"]["text"]
    one = fhir.get(f"/Observation?patient={patient}&_count=1").json()["entry"][0]["resource"]["id"]
    assert fhir.delete(f"/Observation/{one}").status_code == 204
    assert fhir.get(tie).json()["total"] == 1000

"""A QuestionnaireResponse is held against its Questionnaire: that of the site, of a package, or none.

Spec: http://hl7.org/fhir/R4/questionnaireresponse.html#notes"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import httpx
import pytest

from tests.services.server import Served
from tests.spec.test_profiles import FLAG, REFUSE, address_of, of
from tests.unit.core.fhir.test_packages import packed

BASE = "http://questions.example/fhir"
TOLD = {"status": "generated", "div": '<div xmlns="http://www.w3.org/1999/xhtml">Pain</div>'}
PAINS = {
    "resourceType": "ValueSet",
    "text": TOLD,
    "url": f"{BASE}/ValueSet/pain",
    "status": "active",
    "compose": {"include": [{"system": f"{BASE}/pain", "concept": [{"code": "none"}, {"code": "some"}]}]},
}
WARD = {
    "resourceType": "Questionnaire",
    "text": TOLD,
    "url": f"{BASE}/Questionnaire/ward",
    "version": "1.9",
    "status": "active",
    "item": [
        {"linkId": "pain", "type": "choice", "required": True, "answerValueSet": PAINS["url"]},
        {
            "linkId": "where",
            "type": "string",
            "required": True,
            "maxLength": 10,
            "enableWhen": [
                {"question": "pain", "operator": "=", "answerCoding": {"system": f"{BASE}/pain", "code": "some"}}
            ],
        },
    ],
}
LATER = {**WARD, "version": "1.10", "item": [*WARD["item"], {"linkId": "since", "type": "date", "required": True}]}
INSTALLED = {**WARD, "url": f"{BASE}/Questionnaire/installed"}


@pytest.fixture(scope="module", autouse=True)
def forms(served: Served, fhir: httpx.Client, tmp_path_factory: pytest.TempPathFactory) -> None:
    """The value set and the versions of the Questionnaire at the site; another Questionnaire in a package."""
    for one in (PAINS, LATER, WARD):
        assert fhir.post(f"/{one['resourceType']}", json=one, headers=REFUSE).status_code == 201
    manifest = {"name": "forms", "version": "1.0.0", "fhirVersions": ["4.0.1"]}
    path: Path = tmp_path_factory.mktemp("forms") / "forms.tgz"
    path.write_bytes(packed({"package/package.json": manifest, "package/q.json": INSTALLED}))
    served.ecluse("ig", "install", str(path))


def pain(code: str) -> dict[str, Any]:
    """The first item, answered."""
    return {"linkId": "pain", "answer": [{"valueCoding": {"system": f"{BASE}/pain", "code": code}}]}


def where(text: str) -> dict[str, Any]:
    """The second item, answered."""
    return {"linkId": "where", "answer": [{"valueString": text}]}


def response(*items: dict[str, Any], questionnaire: str = f"{WARD['url']}|1.9") -> dict[str, Any]:
    """A completed response."""
    return {
        "resourceType": "QuestionnaireResponse",
        "text": TOLD,
        "questionnaire": questionnaire,
        "status": "completed",
        "item": list(items),
    }


def told(answer: httpx.Response) -> list[tuple[str, str, str]]:
    """Severity, code and place of each issue."""
    return [(one["severity"], one["code"], one["expression"][0]) for one in answer.json()["issue"]]


FINE = ("information", "informational", "QuestionnaireResponse")


@pytest.mark.parametrize(
    ("items", "wanted"),
    [
        ([pain("none")], [FINE]),
        ([pain("some"), where("arm")], [FINE]),
        ([pain("some")], [("error", "required", "QuestionnaireResponse")]),
        ([pain("much")], [("error", "code-invalid", "QuestionnaireResponse.item[0].answer[0].value")]),
        ([pain("none"), where("arm")], [("error", "invalid", "QuestionnaireResponse.item[1]")]),
        (
            [where("left upper arm"), pain("some"), {"linkId": "other"}],
            [
                ("error", "structure", "QuestionnaireResponse.item[1]"),
                ("error", "not-found", "QuestionnaireResponse.item[2].linkId"),
                ("error", "too-long", "QuestionnaireResponse.item[0].answer[0].value"),
            ],
        ),
    ],
)
@pytest.mark.parametrize("form", [f"{WARD['url']}|1.9", INSTALLED["url"]])
def test_validate_holds_answers_against_their_questionnaire(
    fhir: httpx.Client, items: list[dict[str, Any]], wanted: list[tuple[str, str, str]], form: str
) -> None:
    answer = fhir.post("/QuestionnaireResponse/$validate", json=response(*items, questionnaire=form))
    assert (answer.status_code, told(answer)) == (200, wanted)


def test_an_issue_tells_the_fix_what_was_found_and_the_questionnaire(fhir: httpx.Client) -> None:
    (issue,) = fhir.post("/QuestionnaireResponse/$validate", json=response(pain("some"))).json()["issue"]
    assert issue["details"]["text"] == "Add an answer to question where: the Questionnaire requires it."
    assert issue["diagnostics"] == f"found none; profile {WARD['url']}|1.9"


def test_without_version_the_latest_one_is_meant(fhir: httpx.Client) -> None:
    answer = fhir.post("/QuestionnaireResponse/$validate", json=response(pain("none"), questionnaire=WARD["url"]))
    assert "question since" in json.dumps(answer.json()) and "|1.10" in json.dumps(answer.json())


def test_a_version_that_is_not_here_and_an_unknown_questionnaire_are_warnings(fhir: httpx.Client) -> None:
    warning = ("warning", "not-found", "QuestionnaireResponse.questionnaire")
    items = (pain("none"), {"linkId": "since", "answer": [{"valueDate": "2024-05-02"}]})
    for form in (f"{WARD['url']}|7", f"{BASE}/Questionnaire/none"):
        answer = fhir.post("/QuestionnaireResponse/$validate", json=response(*items, questionnaire=form))
        assert told(answer) == [warning]


def test_a_questionnaire_is_noticed_when_it_comes_and_when_it_goes(fhir: httpx.Client) -> None:
    form = {**WARD, "url": f"{BASE}/Questionnaire/late"}
    body = response(pain("much"), questionnaire=form["url"])
    before = fhir.post("/QuestionnaireResponse/$validate", json=body)
    address = address_of(fhir.post("/Questionnaire", json=form))
    between = fhir.post("/QuestionnaireResponse/$validate", json=body)
    assert fhir.delete(f"/{address}").status_code == 204
    after = fhir.post("/QuestionnaireResponse/$validate", json=body)
    codes = [[code for _, code, _ in told(answer)] for answer in (before, between, after)]
    assert codes == [["not-found"], ["code-invalid"], ["not-found"]]


def test_a_write_is_refused_where_profiles_are_checked_and_only_there(fhir: httpx.Client) -> None:
    body = response(pain("some"))
    refused = fhir.post("/QuestionnaireResponse", json=body, headers=REFUSE)
    assert (refused.status_code, told(refused)) == (422, [("error", "required", "QuestionnaireResponse")])
    assert fhir.post("/QuestionnaireResponse", json=body).status_code == 201
    assert fhir.post("/QuestionnaireResponse", json=response(pain("none")), headers=REFUSE).status_code == 201
    unknown = response(pain("none"), questionnaire=f"{BASE}/Questionnaire/none")
    assert fhir.post("/QuestionnaireResponse", json=unknown, headers=REFUSE).status_code == 201


def test_a_transaction_is_told_what_is_wrong_with_each_response(fhir: httpx.Client) -> None:
    bodies = (response(pain("some")), response(pain("none")), response(pain("much")))
    entries = [{"resource": one, "request": {"method": "POST", "url": "QuestionnaireResponse"}} for one in bodies]
    answer = fhir.post("/", json={"resourceType": "Bundle", "type": "transaction", "entry": entries}, headers=REFUSE)
    assert answer.status_code == 422
    assert told(answer) == [
        ("error", "required", "Bundle.entry[0].resource"),
        ("error", "code-invalid", "Bundle.entry[2].resource.item[0].answer[0].value"),
    ]


def test_a_questionnaire_of_the_same_transaction_is_taken(fhir: httpx.Client) -> None:
    form = {**WARD, "url": f"{BASE}/Questionnaire/together"}
    bodies = (response(pain("some"), questionnaire=form["url"]), form, response(pain("x"), questionnaire=form["url"]))
    entries = [{"resource": one, "request": {"method": "POST", "url": one["resourceType"]}} for one in bodies]
    answer = fhir.post("/", json={"resourceType": "Bundle", "type": "transaction", "entry": entries}, headers=REFUSE)
    assert answer.status_code == 422
    assert told(answer) == [
        ("error", "required", "Bundle.entry[0].resource"),
        ("error", "code-invalid", "Bundle.entry[2].resource.item[0].answer[0].value"),
    ]


def test_what_is_stored_with_its_issues_is_found_by_the_questionnaire(served: Served, fhir: httpx.Client) -> None:
    address = address_of(fhir.post("/QuestionnaireResponse", json=response(pain("some")), headers=FLAG))
    with httpx.Client(base_url=served.url, timeout=60) as client:
        (row,) = of(client, address, profile=WARD["url"])
    assert (row["severity"], row["code"], row["profile"]) == ("error", "required", f"{WARD['url']}|1.9")

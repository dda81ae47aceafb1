"""Which Questionnaire a response is held against: contained, in the bundle, installed, stored, in which version."""

from __future__ import annotations

from typing import Any

import pytest

from ecluse.core.fhir import json
from ecluse.core.fhir.validation.profiles.library import Library
from ecluse.core.fhir.validation.profiles.profiles import Profiles
from ecluse.core.fhir.validation.profiles.validate import profile_issues
from ecluse.core.fhir.validation.profiles.value_sets import Answers, NotAnswered
from tests.unit.core.fhir.validation.questionnaires.given import (
    URL,
    VALUE_SET,
    asked,
    found,
    issues,
    item,
    questionnaire,
    response,
)

FORM = questionnaire(asked("a", "boolean"))
BAD = response(item("a", "x"))
WRONG_TYPE = ("error", "structure", "item[0].answer[0].value")
NOT_HERE = ("warning", "not-found", "questionnaire")


def test_an_unknown_questionnaire_is_a_warning_that_names_the_fix() -> None:
    (issue,) = issues(BAD)
    assert (issue.severity, issue.code, issue.expression) == (
        "warning",
        "not-found",
        "QuestionnaireResponse.questionnaire",
    )
    assert "POST it as a Questionnaire" in issue.text and "ecluse ig install" in issue.text
    assert issue.diagnostics == f"found {URL}"


def test_a_response_that_names_none_is_held_against_none() -> None:
    nameless = {name: value for name, value in BAD.items() if name != "questionnaire"}
    (issue,) = issues(nameless, FORM)
    assert (issue.severity, issue.expression) == ("information", "QuestionnaireResponse")


def test_an_address_of_something_else_is_an_error() -> None:
    assert found({**BAD, "questionnaire": VALUE_SET["url"]}, VALUE_SET) == [("error", "value", "questionnaire")]


def test_a_contained_questionnaire_is_taken() -> None:
    inside = {**BAD, "questionnaire": "#q", "contained": [{**FORM, "id": "q"}]}
    assert found(inside) == [WRONG_TYPE]
    assert found({**inside, "questionnaire": "#other"}) == [NOT_HERE]


@pytest.mark.parametrize(("version", "wanted"), [("", WRONG_TYPE), ("|1", WRONG_TYPE), ("|2", NOT_HERE)])
def test_a_questionnaire_of_the_same_bundle_is_taken(version: str, wanted: tuple[str, str, str]) -> None:
    entries = [{"fullUrl": f"http://a/{n}", "resource": one} for n, one in enumerate(
        ({**FORM, "version": "1"}, {**BAD, "questionnaire": URL + version})
    )]  # fmt: skip
    bundle = {"resourceType": "Bundle", "type": "collection", "entry": entries}
    assert found(bundle) == [(*wanted[:2], f"entry[1].resource.{wanted[2]}")]


def test_the_contained_target_of_an_answer_is_that_of_the_response() -> None:
    url = "http://hl7.org/fhir/StructureDefinition/questionnaire-referenceResource"
    form = questionnaire(asked("a", "reference", extension=[{"url": url, "valueCode": "Patient"}]))
    answer = {"valueReference": {"reference": "#p"}}
    inside = response(item("a", answer), contained=[{"resourceType": "Group", "id": "p"}])
    assert found(inside, form) == [("error", "structure", "item[0].answer[0].value")]
    bundle = {"resourceType": "Bundle", "type": "collection", "entry": [{"resource": inside}]}
    assert found(bundle, form) == [("error", "structure", "entry[0].resource.item[0].answer[0].value")]


@pytest.mark.parametrize(
    ("period", "wanted"),
    [
        ({"start": "2024-05-02", "end": "2024-05-02"}, []),
        ({"start": "2024-05-03"}, [("warning", "business-rule", "authored")]),
        ({"end": "2024-05-01"}, [("warning", "business-rule", "authored")]),
        ({"end": "2024-05"}, []),
    ],
)
def test_a_response_is_authored_while_its_questionnaire_is_in_use(period: dict[str, str], wanted: list[Any]) -> None:
    form = {**FORM, "effectivePeriod": period}
    assert found(response(item("a", True), authored="2024-05-02T10:00:00Z"), form) == wanted


def asking(resource: dict[str, Any], answers: Answers) -> list[tuple[str, str]]:
    """What is told where a store can be asked: severity and code."""
    profiles = Profiles(Library({}))
    decoded = json.decode(json.encode(resource))
    return [(one.severity, one.code) for one in profile_issues(profiles, decoded, answers=answers)]


def test_a_questionnaire_that_no_package_has_is_asked_for_once() -> None:
    answers = Answers()
    with pytest.raises(NotAnswered) as asked_for:
        asking(BAD, answers)
    assert asked_for.value.questionnaires == answers.wanted == {URL}
    answers.questionnaires[URL] = FORM
    answers.wanted.clear()
    assert asking(BAD, answers) == [("error", "structure")]
    answers.questionnaires[URL] = None
    assert asking(BAD, answers) == [("warning", "not-found")]


def test_another_version_is_taken_and_that_is_told() -> None:
    answers = Answers()
    named = f"{URL}|2"
    answers.questionnaires[named] = {**FORM, "version": "1"}
    assert asking({**BAD, "questionnaire": named}, answers) == [("error", "structure"), ("warning", "not-found")]


@pytest.mark.parametrize(
    "wrong",
    [
        {"text": "no linkId"},
        {"_linkId": {"extension": [{"url": "http://other", "valueString": "none"}]}, "type": "string"},
        {"linkId": "a", "type": "string", "item": [[]]},
        {"linkId": "a", "type": "string", "extension": ["x"]},
        {"linkId": "a", "type": "string", "enableWhen": ["x"]},
        {"linkId": "a", "type": "choice", "answerOption": 3},
    ],
)
def test_a_questionnaire_that_cannot_be_read_is_told_as_not_checked(wrong: dict[str, Any]) -> None:
    (issue,) = issues(BAD, {**FORM, "item": [wrong]})
    assert (issue.severity, issue.diagnostics) == (
        "information",
        f"not checked: the Questionnaire {URL}, which cannot be read",
    )
    assert found({**FORM, "item": [{"text": "no linkId"}]}) == []

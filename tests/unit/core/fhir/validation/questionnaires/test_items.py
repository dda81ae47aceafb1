"""Items of a response: known, in their order, where the Questionnaire has them, answered as often as it asks."""

from __future__ import annotations

from typing import Any

import pytest

from tests.unit.core.fhir.validation.questionnaires.given import (
    URL,
    asked,
    found,
    issues,
    item,
    limit,
    questionnaire,
    response,
)

MIN, MAX = (limit(f"questionnaire-{name}Occurs", valueInteger=2) for name in ("min", "max"))
WARD = questionnaire(
    asked("who", "string", required=True, text="Who are you?"),
    asked("note", "display", text="Thank you."),
    asked(
        "pain",
        "group",
        asked("where", "string", repeats=True),
        asked("since", "string", asked("why", "string", required=True), required=True),
        repeats=True,
    ),
    asked("last", "integer"),
)
WHO = item("who", "me")
SINCE = item("since", {"valueString": "May", "item": [item("why", "fell")]})


@pytest.mark.parametrize(
    ("items", "wanted"),
    [
        ([WHO], []),
        ([WHO, item("note"), item("pain", items=[item("where", "arm", "leg"), SINCE]), item("last", 3)], []),
        ([WHO, item("pain", items=[SINCE]), item("pain", items=[SINCE])], []),
        ([], [("error", "required", "")]),
        ([item("who")], [("error", "required", "item[0]")]),
        ([WHO, item("other", "x")], [("error", "not-found", "item[1].linkId")]),
        ([item("last", 3), WHO], [("error", "structure", "item[1]")]),
        ([WHO, item("where", "arm")], [("error", "structure", "item[1].linkId")]),
        ([WHO, item("pain", "x", items=[SINCE])], [("error", "structure", "item[1].answer")]),
        ([WHO, item("note", "x")], [("error", "structure", "item[1].answer")]),
        ([WHO, item("note", items=[WHO])], [("error", "structure", "item[1].item")]),
        ([WHO, item("pain", items=[item("where", "arm")])], [("error", "required", "item[1]")]),
        ([WHO, item("pain", items=[item("since", "May")])], [("error", "required", "item[1].item[0].answer[0]")]),
        (
            [WHO, item("pain", items=[item("since", {"valueString": "May"}, items=[item("why", "fell")])])],
            [("error", "required", "item[1].item[0].answer[0]"), ("error", "structure", "item[1].item[0].item")],
        ),
        ([item("who", "me", "you")], [("error", "invalid", "item[0]")]),
        ([WHO, WHO], [("error", "invalid", "item[1]")]),
        ([{**WHO, "text": "Who  are you?"}], []),
        ([{**WHO, "text": "How are you?"}], [("warning", "value", "item[0].text")]),
    ],
)
def test_items_are_where_the_questionnaire_has_them(
    items: list[dict[str, Any]], wanted: list[tuple[str, str, str]]
) -> None:
    assert sorted(found(response(*items), WARD)) == sorted(wanted)


@pytest.mark.parametrize(
    ("status", "severity"),
    [
        ("completed", "error"),
        ("amended", "error"),
        ("in-progress", "warning"),
        ("stopped", "warning"),
        ("entered-in-error", "warning"),
    ],
)
def test_only_what_is_finished_may_lack_nothing(status: str, severity: str) -> None:
    assert found(response(status=status), WARD) == [(severity, "required", "")]


@pytest.mark.parametrize(
    ("answers", "extension", "wanted"),
    [
        (("a",), MAX, []),
        (("a", "b"), MAX, []),
        (("a", "b", "c"), MAX, ["item[0]"]),
        (("a",), MIN, ["item[0]"]),
        (("a", "b"), MIN, []),
    ],
)
def test_answers_are_as_many_as_asked_for(
    answers: tuple[str, ...], extension: dict[str, Any], wanted: list[str]
) -> None:
    several = questionnaire(asked("who", "string", repeats=True, extension=[extension]))
    assert [place for _, _, place in found(response(item("who", *answers)), several)] == wanted


def test_a_translated_text_is_the_text() -> None:
    parts = [{"url": "lang", "valueCode": "fr"}, {"url": "content", "valueString": "Qui ?"}]
    extension = [{"url": "http://hl7.org/fhir/StructureDefinition/translation", "extension": parts}]
    both = questionnaire(asked("who", "string", text="Who?", _text={"extension": extension}))
    assert found(response(item("who", "me", text="Qui ?")), both) == []
    assert found(response(item("who", "me", text="Quoi ?")), both) == [("warning", "value", "item[0].text")]


def test_an_issue_says_the_fix_the_place_and_the_questionnaire() -> None:
    (issue,) = issues(response(), {**WARD, "version": "3"})
    assert issue.text == "Add an answer to question who: the Questionnaire requires it."
    assert issue.expression == "QuestionnaireResponse"
    assert issue.diagnostics == 'found none; its text: "Who are you?"'
    assert issue.profile == f"{URL}|3"

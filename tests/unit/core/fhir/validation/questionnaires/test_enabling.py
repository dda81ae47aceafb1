"""Conditions on other answers: all operators, all and any, rows of groups, what is not certain."""

from __future__ import annotations

from typing import Any

import pytest

from tests.unit.core.fhir.validation.questionnaires.given import (
    PAIN,
    asked,
    found,
    issues,
    item,
    limit,
    questionnaire,
    response,
    when,
)

NONE, SOME = ({"system": PAIN, "code": code} for code in ("none", "some"))
DISABLED, MISSING = [("error", "invalid")], [("error", "required")]


def outcome(first: list[Any], kind: str, *conditions: dict[str, Any], **members: Any) -> bool | None:
    """Whether the second question is enabled by the answers to the first: it may not be answered, or has to be."""
    form = questionnaire(
        asked("a", kind, repeats=True), asked("b", "string", required=True, enableWhen=list(conditions), **members)
    )
    before = [item("a", *first)] if first else []
    answered = [told[:2] for told in found(response(*before, item("b", "x")), form)]
    left_out = [told[:2] for told in found(response(*before), form)]
    outcomes: dict[bool | None, Any] = {True: ([], MISSING), False: (DISABLED, []), None: ([], [])}
    (enabled,) = [one for one, both in outcomes.items() if both == (answered, left_out)]
    return enabled


@pytest.mark.parametrize(
    ("kind", "answers", "condition", "enabled"),
    [
        ("boolean", [True], when("a", answerBoolean=True), True),
        ("boolean", [False], when("a", answerBoolean=True), False),
        ("boolean", [], when("a", answerBoolean=True), False),
        ("boolean", [False], when("a", "exists", answerBoolean=True), True),
        ("boolean", [], when("a", "exists", answerBoolean=True), False),
        ("boolean", [], when("a", "exists", answerBoolean=False), True),
        ("boolean", [True], when("a", "exists", answerBoolean=False), False),
        ("integer", [3], when("a", ">", answerInteger=3), False),
        ("integer", [4], when("a", ">", answerInteger=3), True),
        ("integer", [3], when("a", ">=", answerInteger=3), True),
        ("integer", [2], when("a", ">=", answerInteger=3), False),
        ("integer", [3], when("a", "<", answerInteger=3), False),
        ("integer", [2], when("a", "<", answerInteger=3), True),
        ("integer", [3], when("a", "<=", answerInteger=3), True),
        ("integer", [4], when("a", "<=", answerInteger=3), False),
        ("integer", [1, 5], when("a", ">", answerInteger=3), True),
        ("integer", [3], when("a", "!=", answerInteger=3), False),
        ("integer", [4], when("a", "!=", answerInteger=3), True),
        ("integer", [], when("a", "!=", answerInteger=3), None),
        ("decimal", [{"valueDecimal": 3.50}], when("a", answerDecimal=3.5), True),
        ("string", ["x"], when("a", answerString="x"), True),
        ("string", ["y"], when("a", answerString="x"), False),
        ("date", [{"valueDate": "2024-05-02"}], when("a", ">", answerDate="2024-05-01"), True),
        ("date", [{"valueDate": "2024"}], when("a", ">", answerDate="2024-05-01"), None),
        ("date", [{"valueDate": "2025"}], when("a", ">", answerDate="2024-05-01"), True),
        (
            "dateTime",
            [{"valueDateTime": "2024-05-02T11:59:59Z"}],
            when("a", "<", answerDateTime="2024-05-02T14:00:00+02:00"),
            True,
        ),
        ("time", [{"valueTime": "10:00:00"}], when("a", "<", answerTime="09:00:00"), False),
        ("choice", [{"valueCoding": NONE}], when("a", answerCoding=NONE), True),
        ("choice", [{"valueCoding": {**NONE, "display": "None"}}], when("a", answerCoding=NONE), True),
        ("choice", [{"valueCoding": NONE}], when("a", answerCoding={"code": "none"}), True),
        ("choice", [{"valueCoding": SOME}], when("a", answerCoding=NONE), False),
        ("choice", [{"valueCoding": SOME}], when("a", "!=", answerCoding=NONE), True),
        ("open-choice", ["other"], when("a", answerCoding=NONE), False),
        (
            "quantity",
            [{"valueQuantity": {"value": 3, "unit": "km"}}],
            when("a", ">", answerQuantity={"value": 2, "unit": "km"}),
            True,
        ),
        (
            "quantity",
            [{"valueQuantity": {"value": 3, "unit": "kg"}}],
            when("a", ">", answerQuantity={"value": 2, "unit": "km"}),
            None,
        ),
        (
            "reference",
            [{"valueReference": {"reference": "Patient/1"}}],
            when("a", answerReference={"reference": "Patient/1"}),
            True,
        ),
        (
            "reference",
            [{"valueReference": {"reference": "Patient/2"}}],
            when("a", answerReference={"reference": "Patient/1"}),
            False,
        ),
    ],
)
def test_each_operator_enables(kind: str, answers: list[Any], condition: dict[str, Any], enabled: bool | None) -> None:
    assert outcome(answers, kind, condition) is enabled


@pytest.mark.parametrize(
    ("answers", "behaviour", "enabled"),
    [
        ([3, 5], "all", True),
        ([3], "all", False),
        ([3], "any", True),
        ([4], "any", False),
        ([3], None, None),
    ],
)
def test_several_conditions_are_met_all_or_one(answers: list[int], behaviour: str | None, enabled: bool | None) -> None:
    conditions = [when("a", answerInteger=3), when("a", answerInteger=5)]
    members = {"enableBehavior": behaviour} if behaviour else {}
    assert outcome(answers, "integer", *conditions, **members) is enabled


def test_each_row_of_a_group_is_judged_by_its_own_answers() -> None:
    inner = [
        asked("hurts", "boolean"),
        asked("where", "string", required=True, enableWhen=[when("hurts", answerBoolean=True)]),
    ]
    form = questionnaire(asked("row", "group", *inner, repeats=True))
    rows = [item("row", items=[item("hurts", value), item("where", "arm")]) for value in (True, False)]
    assert found(response(*rows), form) == [("error", "invalid", "item[1].item[1]")]
    bare = [item("row", items=[item("hurts", value)]) for value in (True, False)]
    assert found(response(*bare), form) == [("error", "required", "item[0]")]


def test_the_innermost_group_that_holds_both_questions_counts() -> None:
    where = asked("where", "string", enableWhen=[when("hurts", answerBoolean=True)])
    row = asked("row", "group", asked("hurts", "boolean"), where, repeats=True)
    form = questionnaire(asked("body", "group", row))
    rows = [item("row", items=[item("hurts", value), item("where", "arm")]) for value in (True, False)]
    assert found(response(item("body", items=rows)), form) == [("error", "invalid", "item[0].item[1].item[1]")]


def test_a_condition_may_be_on_the_question_around() -> None:
    inner = asked("where", "string", enableWhen=[when("hurts", answerBoolean=True)])
    form = questionnaire(asked("hurts", "boolean", inner))
    for value, wanted in ((True, []), (False, [("error", "invalid", "item[0].answer[0].item[0]")])):
        answer = {"valueBoolean": value, "item": [item("where", "arm")]}
        assert found(response(item("hurts", answer)), form) == wanted


def test_what_is_in_a_disabled_group_is_not_asked_for() -> None:
    group = asked("row", "group", asked("where", "string", required=True), required=True)
    form = questionnaire(asked("a", "boolean"), {**group, "enableWhen": [when("a", answerBoolean=True)]})
    assert found(response(item("a", False)), form) == []
    assert found(response(item("a", True)), form) == [("error", "required", "")]
    assert found(response(item("a", False), item("row", items=[item("where", "x")])), form) == [
        ("error", "invalid", "item[1]")
    ]


@pytest.mark.parametrize(
    ("expression", "enabled"),
    [
        ("%resource.item.where(linkId='a').answer.value = true", True),
        ("item.where(linkId='a').answer.value = false", False),
        ("item.where(linkId='c').answer.value", False),
        ("%patient.age > 18", None),
    ],
)
def test_an_expression_enables(expression: str, enabled: bool | None) -> None:
    url = "http://hl7.org/fhir/uv/sdc/StructureDefinition/sdc-questionnaire-enableWhenExpression"
    condition = limit(url, valueExpression={"language": "text/fhirpath", "expression": expression})
    assert outcome([True], "boolean", extension=[condition]) is enabled


def test_what_is_not_certain_is_told_as_not_checked() -> None:
    form = questionnaire(asked("a", "integer"), asked("b", "string", enableWhen=[when("a", "!=", answerInteger=3)]))
    (issue,) = issues(response(item("b", "x")), form)
    assert (issue.severity, issue.diagnostics) == ("information", "not checked: whether question b is enabled")


def test_what_enables_a_question_is_told() -> None:
    conditions = [when("a", ">", answerInteger=3), when("a", answerInteger=1)]
    form = questionnaire(asked("a", "integer"), asked("b", "string", enableWhen=conditions, enableBehavior="any"))
    (issue,) = issues(response(item("a", 2), item("b", "x")), form)
    assert issue.text == "Leave this item out: question b is not enabled by the other answers."
    assert issue.diagnostics == "enabled when a > 3 or a = 1"


@pytest.mark.parametrize(
    ("target", "wanted"),
    [
        ("a", []),
        ("b", [("error", "business-rule", "item[1].enableWhen[0].question")]),
        ("inside", [("error", "business-rule", "item[1].enableWhen[0].question")]),
        ("none", [("error", "business-rule", "item[1].enableWhen[0].question")]),
        ("c", [("warning", "business-rule", "item[1].enableWhen[0].question")]),
    ],
)
def test_the_condition_of_a_questionnaire_is_on_a_question_before(target: str, wanted: list[Any]) -> None:
    group = asked("b", "group", asked("inside", "boolean"), enableWhen=[when(target, answerBoolean=True)])
    assert found(questionnaire(asked("a", "boolean"), group, asked("c", "boolean"))) == wanted

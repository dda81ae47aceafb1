"""Single answers: type, options, value set, length, range, unit."""

from __future__ import annotations

from typing import Any

import pytest

from ecluse.core.fhir.validation.questionnaires.limits import KINDS
from tests.unit.core.fhir.validation.questionnaires.given import (
    PAIN,
    VALUE_SET,
    asked,
    found,
    item,
    limit,
    questionnaire,
    response,
)

VALUES: dict[str, Any] = {
    "Boolean": True,
    "Decimal": 1.5,
    "Integer": 1,
    "Date": "2024-05-02",
    "DateTime": "2024-05-02T10:00:00Z",
    "Time": "10:00:00",
    "String": "a",
    "Uri": "http://hospital.example",
    "Coding": {"system": PAIN, "code": "none"},
    "Attachment": {"url": "http://hospital.example/a"},
    "Reference": {"reference": "Patient/1"},
    "Quantity": {"value": 1, "unit": "km", "system": "http://unitsofmeasure.org", "code": "km"},
}
ANSWER = "item[0].answer[0].value"


def told(answer: dict[str, Any], kind: str, *definitions: dict[str, Any], **members: Any) -> list[tuple[str, str]]:
    """Severity and code of what is told of one answer to one question, each at the place of its value."""
    all_told = found(response(item("a", answer)), questionnaire(asked("a", kind, **members)), *definitions)
    assert {place for _, _, place in all_told} <= {ANSWER}
    return [(severity, code) for severity, code, _ in all_told]


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("value", VALUES)
def test_the_type_of_an_answer_is_that_of_its_question(kind: str, value: str) -> None:
    wanted = [] if value in KINDS[kind] else [("error", "structure")]
    assert told({f"value{value}": VALUES[value]}, kind) == wanted


def test_every_type_of_item_is_known() -> None:
    assert len(KINDS) == 14
    assert {value for values in KINDS.values() for value in values} == set(VALUES)


OPTIONS = [
    {"valueCoding": {"system": PAIN, "code": "none"}},
    {"valueString": "some"},
    {"valueInteger": 3},
    {"valueDate": "2024-05-02"},
    {"valueTime": "10:00:00"},
    {"valueReference": {"reference": "Patient/1"}},
]
WRONG: list[dict[str, Any]] = [
    {"valueCoding": {"system": PAIN, "code": "some"}},
    {"valueCoding": {"code": "none"}},
    {"valueInteger": 4},
    {"valueDate": "2024-05-03"},
    {"valueTime": "10:00:01"},
    {"valueReference": {"reference": "Patient/2"}},
]


@pytest.mark.parametrize("kind", ["choice", "open-choice"])
def test_an_answer_is_one_of_the_options(kind: str) -> None:
    assert [told(one, kind, answerOption=OPTIONS) for one in OPTIONS] == [[]] * len(OPTIONS)
    assert [told(one, kind, answerOption=OPTIONS) for one in WRONG] == [[("error", "code-invalid")]] * len(WRONG)


def test_an_option_without_system_is_answered_without() -> None:
    options = [{"valueCoding": {"code": "none"}}]
    assert told({"valueCoding": {"code": "none"}}, "choice", answerOption=options) == []
    assert told({"valueCoding": {"system": PAIN, "code": "none"}}, "choice", answerOption=options) == [
        ("error", "code-invalid")
    ]


def test_only_an_open_choice_takes_other_text() -> None:
    assert told({"valueString": "other"}, "choice", answerOption=OPTIONS) == [("error", "code-invalid")]
    assert told({"valueString": "other"}, "open-choice", answerOption=OPTIONS) == []


@pytest.mark.parametrize(
    ("answer", "kind", "wanted"),
    [
        ({"valueCoding": {"system": PAIN, "code": "some"}}, "choice", []),
        ({"valueCoding": {"system": PAIN, "code": "much"}}, "choice", [("error", "code-invalid")]),
        ({"valueCoding": {"system": "http://other", "code": "some"}}, "choice", [("error", "code-invalid")]),
        ({"valueCoding": {"code": "some"}}, "choice", [("warning", "code-invalid")]),
        ({"valueCoding": {"system": PAIN, "code": "much"}}, "open-choice", [("error", "code-invalid")]),
        ({"valueString": "much"}, "choice", [("error", "code-invalid")]),
        ({"valueString": "much"}, "open-choice", []),
        ({"valueString": "much"}, "string", [("error", "code-invalid")]),
        ({"valueString": "some"}, "string", []),
    ],
)
@pytest.mark.parametrize("where", ["installed", "contained"])
def test_an_answer_is_of_the_value_set(answer: dict[str, Any], kind: str, wanted: list[Any], where: str) -> None:
    if where == "installed":
        assert told(answer, kind, VALUE_SET, answerValueSet=VALUE_SET["url"]) == wanted
        return
    contained = [{**VALUE_SET, "id": "pain"}]
    form = questionnaire(asked("a", kind, answerValueSet="#pain"), contained=contained)
    assert [one[:2] for one in found(response(item("a", answer)), form)] == wanted


def test_of_a_value_set_that_nobody_has_nothing_is_said() -> None:
    assert (
        told({"valueCoding": {"system": "http://other", "code": "a"}}, "choice", answerValueSet="http://other/vs") == []
    )


def quantity(value: float, code: str, system: str = "http://unitsofmeasure.org") -> dict[str, Any]:
    """A quantity of UCUM; system: "" for a unit that is only told"""
    unit = {"unit": code} if not system else {"unit": code, "system": system, "code": code}
    return {"valueQuantity": {"value": value, **unit}}


SDC = "http://hl7.org/fhir/uv/sdc/StructureDefinition/sdc-questionnaire-"
KM = [limit(SDC + "minQuantity", **quantity(1, "km")), limit(SDC + "maxQuantity", **quantity(5, "km"))]
UNITS = [limit("questionnaire-unitOption", valueCoding={"system": "http://unitsofmeasure.org", "code": "km"})]
WHOLE = [limit("minValue", valueInteger=1), limit("maxValue", valueInteger=9)]
MAY = [limit("minValue", valueDate="2024-05-02"), limit("maxValue", valueDate="2024-05-30")]
NOON = [limit("maxValue", valueDateTime="2024-05-02T12:00:00Z")]
EVENING = [limit("maxValue", valueTime="20:00:00")]
TYPES = [limit("mimeType", valueCode="image/gif"), limit("maxSize", valueDecimal=4)]
TARGETS = [limit("questionnaire-referenceResource", valueCode="Patient")]
BACKTRACKING = "(a+)+$"


@pytest.mark.parametrize(
    ("answer", "kind", "extension", "wanted"),
    [
        ({"valueInteger": 1}, "integer", WHOLE, []),
        ({"valueInteger": 0}, "integer", WHOLE, ["value"]),
        ({"valueInteger": 10}, "integer", WHOLE, ["value"]),
        ({"valueDecimal": 9.5}, "decimal", WHOLE, ["value"]),
        ({"valueDecimal": 9.0}, "decimal", WHOLE, []),
        ({"valueDate": "2024-05-02"}, "date", MAY, []),
        ({"valueDate": "2024-05-01"}, "date", MAY, ["value"]),
        ({"valueDate": "2024-05-31"}, "date", MAY, ["value"]),
        ({"valueDate": "2024-05"}, "date", MAY, []),
        ({"valueDate": "2025"}, "date", MAY, ["value"]),
        ({"valueDateTime": "2024-05-30T23:30:00-05:00"}, "dateTime", MAY, []),
        ({"valueDateTime": "2024-05-02T14:00:00+02:00"}, "dateTime", NOON, []),
        ({"valueDateTime": "2024-05-02T14:00:01+02:00"}, "dateTime", NOON, ["value"]),
        ({"valueTime": "20:00:00"}, "time", EVENING, []),
        ({"valueTime": "20:00:01"}, "time", EVENING, ["value"]),
        ({"valueDecimal": 1.25}, "decimal", [limit("maxDecimalPlaces", valueInteger=2)], []),
        ({"valueDecimal": 1.125}, "decimal", [limit("maxDecimalPlaces", valueInteger=2)], ["value"]),
        ({"valueString": "ab"}, "string", [limit("minLength", valueInteger=2)], []),
        ({"valueString": "a"}, "string", [limit("minLength", valueInteger=2)], ["value"]),
        ({"valueString": "a1"}, "string", [limit("regex", valueString="[a-z][0-9]")], []),
        ({"valueString": "a11"}, "string", [limit("regex", valueString="[a-z][0-9]")], ["value"]),
        ({"valueString": "a"}, "string", [limit("regex", valueString="(")], []),
        ({"valueString": "a" * 40 + "!"}, "string", [limit("regex", valueString=BACKTRACKING)], ["value"]),
        (quantity(2000, "m"), "quantity", KM, []),
        (quantity(200, "m"), "quantity", KM, ["value"]),
        (quantity(20000, "m"), "quantity", KM, ["value"]),
        (quantity(2, "kg"), "quantity", KM, ["value", "value"]),
        (quantity(2, "km"), "quantity", UNITS, []),
        (quantity(2, "m"), "quantity", UNITS, ["code-invalid"]),
        (quantity(2, "km", ""), "quantity", UNITS, ["code-invalid"]),
        ({"valueAttachment": {"contentType": "image/gif", "size": 4}}, "attachment", TYPES, []),
        ({"valueAttachment": {"contentType": "image/png", "size": 5}}, "attachment", TYPES, ["too-long", "value"]),
        ({"valueAttachment": {"contentType": "image/gif", "data": "YWJjZA=="}}, "attachment", TYPES, []),
        ({"valueAttachment": {"contentType": "image/gif", "data": "YWJjZGU="}}, "attachment", TYPES, ["too-long"]),
        ({"valueReference": {"reference": "Patient/1"}}, "reference", TARGETS, []),
        ({"valueReference": {"reference": "Group/1"}}, "reference", TARGETS, ["structure"]),
        ({"valueReference": {"identifier": {"value": "1"}}}, "reference", TARGETS, []),
    ],
)
def test_an_answer_keeps_to_the_limits_of_its_question(
    answer: dict[str, Any], kind: str, extension: list[dict[str, Any]], wanted: list[str]
) -> None:
    assert sorted(told(answer, kind, extension=extension)) == [("error", code) for code in wanted]


def test_a_text_is_no_longer_than_asked_for_and_a_string_has_one_line() -> None:
    assert told({"valueString": "abc"}, "string", maxLength=3) == []
    assert told({"valueString": "abcd"}, "text", maxLength=3) == [("error", "too-long")]
    assert told({"valueString": "a\nb"}, "text") == []
    assert told({"valueString": "a\nb"}, "string") == [("warning", "value")]


def test_an_option_that_excludes_the_others_is_the_only_answer() -> None:
    alone = [limit("questionnaire-optionExclusive", valueBoolean=True)]
    options = [{"valueString": "none", "extension": alone}, {"valueString": "arm"}, {"valueString": "leg"}]
    form = questionnaire(asked("a", "choice", repeats=True, answerOption=options))
    assert found(response(item("a", "arm", "leg")), form) == []
    assert found(response(item("a", "none")), form) == []
    assert found(response(item("a", "arm", "none")), form) == [("error", "business-rule", "item[0].answer[1].value")]


def test_an_answer_without_value_has_its_reason() -> None:
    unknown = [{"url": "http://hl7.org/fhir/StructureDefinition/data-absent-reason", "valueCode": "unknown"}]
    answer = {"_valueString": {"extension": unknown}}
    assert told(answer, "string", required=True, answerValueSet="http://other/vs") == []
    assert told(answer, "boolean") == [("error", "structure")]

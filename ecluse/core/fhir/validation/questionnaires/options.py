"""Answers that are chosen: from the options of a question, or from its value set.

Enters: an answer's value and its question. Leaves: findings.
Spec: http://hl7.org/fhir/R4/questionnaire.html#choice
"""

from __future__ import annotations

from typing import Any

from ecluse.core.fhir.validation.profiles.checks import any_of, found
from ecluse.core.fhir.validation.profiles.value_sets import Coded, ValueSets
from ecluse.core.fhir.validation.profiles.values import told
from ecluse.core.fhir.validation.questionnaires.enabling import equal
from ecluse.core.fhir.validation.questionnaires.form import Form
from ecluse.core.fhir.validation.questionnaires.questions import EXTENSION, Question, Value, value_of

MOST_NAMED = 10
UNREADABLE = (KeyError, TypeError, ValueError, AttributeError)
"""What a value set raises that is none."""


def check_option(form: Form, question: Question, value: Value, place: str) -> None:
    """That an answer is one of those that the question offers. Free text is one where the choice is open."""
    if value.data is None or (question.type == "open-choice" and value.kind == "String"):
        return
    if question.options:
        _offered(form, question, value, place)
    elif question.value_set:
        _in_value_set(form, question, value, place)


def _offered(form: Form, question: Question, value: Value, place: str) -> None:
    offered = [one for option in question.options if (one := value_of(option)) is not None]
    if not any(equal(value, one) and equal(one, value) for one in offered):
        names = [_named(one) for one in offered[:MOST_NAMED]]
        more = " (more are offered)" if len(offered) > MOST_NAMED else ""
        text = f"Answer question {question.link_id} with {any_of(names)}{more}: these are its options."
        form.run.add(place, text, "code-invalid", found(value.data))


def _named(option: Value) -> str:
    """An option as one would name it, with its display."""
    display = option.data.get("display") if isinstance(option.data, dict) else None
    return f"{told(option.data)} ({display})" if display else told(option.data)


def _in_value_set(form: Form, question: Question, value: Value, place: str) -> None:
    coded = _code(question, value)
    if coded is None:
        text = f"Answer question {question.link_id} with valueCoding: a code of the value set {question.value_set}."
        form.run.add(place, text, "code-invalid", found(value.data))
        return
    inside = is_in(form, question.value_set, coded)
    if inside is None:
        form.unchecked(f"codes of {question.value_set}")
    elif not inside:
        text = f"Answer question {question.link_id} with a code of the value set {question.value_set}."
        form.run.add(place, text, "code-invalid", found(value.data))
    elif coded.system is None and value.kind == "Coding":
        text = f"Name the system of the answer to question {question.link_id}: its code alone has no meaning."
        form.run.add(place, text, "code-invalid", found(value.data), "warning")


def _code(question: Question, value: Value) -> Coded | None:
    """The code that an answer is; of a question for text the text, without system."""
    if value.kind == "Coding":
        return Coded(value.data.get("system"), str(value.data.get("code", "")))
    return Coded(None, value.data) if value.kind == "String" and question.type in ("string", "text") else None


def is_in(form: Form, value_set: str, coded: Coded) -> bool | None:
    """Whether a code is in a value set, which may be contained; None when nobody knows."""
    if not value_set.startswith("#"):
        return form.run.is_member(form.profiles.value_sets, value_set, coded)
    inner: list[Any] = [*form.questionnaire.get("contained", ()), *form.run.root.get("contained", ())]
    definition = next((one for one in inner if one.get("id") == value_set[1:]), None)
    if definition is None or definition.get("resourceType") != "ValueSet":
        return None
    try:
        return ValueSets(form.profiles.library).of(definition)(coded)
    except UNREADABLE:
        return None


def check_exclusive(form: Form, question: Question, answers: list[tuple[Value, str]]) -> None:
    """That an option which excludes the others is the only answer."""
    if len(answers) < 2:
        return
    excluding = [one for option in question.options if (one := value_of(option)) is not None and _excludes(option)]
    for value, place in answers:
        if any(equal(value, one) for one in excluding):
            text = f"Leave out the other answers to question {question.link_id}, or this one: it excludes them."
            form.run.add(place, text, "business-rule", found(value.data))


def _excludes(option: dict[str, Any]) -> bool:
    url = f"{EXTENSION}questionnaire-optionExclusive"
    return any(one.get("url") == url and one.get("valueBoolean") is True for one in option.get("extension", ()))

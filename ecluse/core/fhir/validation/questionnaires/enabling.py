"""Whether a question is enabled: by its conditions on other answers, or by an expression.

Enters: a question, and the items of the response that it stands in. Leaves: True, False, or None where it is
not certain; nobody is told then that an answer is missing, or should not be there.

The answers that a condition looks at are those in the innermost item that holds both questions, so that the rows of a
repeating group are judged each by itself (ADR 37).
Spec: http://hl7.org/fhir/R4/questionnaire-definitions.html#Questionnaire.item.enableWhen
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

from ecluse.core.fhir.fhirpath.expression import compile
from ecluse.core.fhir.fhirpath.failures import FhirPathError
from ecluse.core.fhir.fhirpath.nodes import root
from ecluse.core.fhir.validation.profiles.invariants import given
from ecluse.core.fhir.validation.profiles.three_valued import every, some
from ecluse.core.fhir.validation.questionnaires.comparing import NUMBERS, compared
from ecluse.core.fhir.validation.questionnaires.form import Form
from ecluse.core.fhir.validation.questionnaires.questions import SDC, Question, Value, value_of

EXPRESSIONS = (
    f"{SDC}sdc-questionnaire-enableWhenExpression",
    "http://phr.kanta.fi/StructureDefinition/fiphr-ext-questionnaire-enablewhen",
)
"""Extensions with a condition in FHIRPath, in place of enableWhen."""

_TEXTS = frozenset({"String", "Uri", "Markdown", "Code"})


class Frame(NamedTuple):
    """An item of a response that is around others. holder: these stand in; the item itself, or one of its answers"""

    question: Question
    item: dict[str, Any]
    holder: dict[str, Any]


def is_enabled(form: Form, question: Question, frames: Sequence[Frame]) -> bool | None:
    """Whether a question is to be answered. frames: from the outermost item to the innermost"""
    expression = question.extension(*EXPRESSIONS)
    if expression is not None:
        return _by_expression(form, expression)
    conditions = question.source.get("enableWhen", ())
    if not conditions:
        return True
    met = [_is_met(form, condition, frames) for condition in conditions]
    if len(met) == 1:
        return met[0]
    behaviour = question.source.get("enableBehavior")
    return some(met) if behaviour == "any" else every(met) if behaviour == "all" else None


def _by_expression(form: Form, expression: Any) -> bool | None:
    text = expression.get("expression") if isinstance(expression, dict) else expression
    if not isinstance(text, str):
        return None
    try:
        return compile(text).holds(root(form.response), given(form.profiles, form.run)) is True
    except FhirPathError:
        return None


def _is_met(form: Form, condition: dict[str, Any], frames: Sequence[Frame]) -> bool | None:
    answers = _answers(form, str(condition.get("question")), frames)
    wanted, operator = value_of(condition, "answer"), condition.get("operator")
    if wanted is None:
        return None
    if operator == "exists":
        return (wanted.data is True) == bool(answers) if isinstance(wanted.data, bool) else None
    if not answers and operator == "!=":
        return None  # HL7's validator says no, the text of R4 yes
    return some(_holds(str(operator), answer, wanted) for answer in answers)


def _holds(operator: str, answer: Value, wanted: Value) -> bool | None:
    if operator in ("=", "!="):
        same = equal(answer, wanted)
        return same if same is None or operator == "=" else not same
    order = compared(answer, wanted)
    if order is None:
        return None
    return {">": order > 0, "<": order < 0, ">=": order >= 0, "<=": order <= 0}.get(operator)


def equal(answer: Value, wanted: Value) -> bool | None:
    """Whether two values are the same; a coding that names no system is compared by its code. None when it is not
    certain."""
    if answer.data is None or wanted.data is None:
        return None
    if answer.kind == wanted.kind == "Coding":
        return _same_coding(answer.data, wanted.data)
    if answer.kind == wanted.kind == "Reference":
        return bool(answer.data.get("reference") == wanted.data.get("reference"))
    if answer.kind in _TEXTS and wanted.kind in _TEXTS:
        return bool(answer.data == wanted.data)
    if answer.kind != wanted.kind and not {answer.kind, wanted.kind} <= NUMBERS:
        return False
    order = compared(answer, wanted)
    return None if order is None else order == 0


def _same_coding(answer: dict[str, Any], wanted: dict[str, Any]) -> bool:
    return answer.get("code") == wanted.get("code") and wanted.get("system") in (None, answer.get("system"))


def _answers(form: Form, link_id: str, frames: Sequence[Frame]) -> Sequence[Value]:
    """The answers to a question, of the innermost item that holds it, else of the whole response."""
    for frame in reversed(frames):
        if frame.question.link_id == link_id:
            return _values(frame.item)
        if link_id in frame.question.links:
            return _inside(form, frame.holder).get(link_id, ())
    return _inside(form, form.response).get(link_id, ())


def _inside(form: Form, holder: dict[str, Any]) -> Mapping[str, list[Value]]:
    """All answers below an item, an answer or a response, by linkId; many conditions look at the same ones."""
    known = form.answers.get(id(holder))
    if known is None:
        known = form.answers[id(holder)] = {}
        _collect(holder, known)
    return known


def _collect(holder: dict[str, Any], into: dict[str, list[Value]]) -> None:
    for item in holder.get("item", ()):
        into.setdefault(str(item.get("linkId")), []).extend(_values(item))
        _collect(item, into)
        for answer in item.get("answer", ()):
            _collect(answer, into)


def _values(item: dict[str, Any]) -> list[Value]:
    found = (value_of(answer) for answer in item.get("answer", ()))
    return [value for value in found if value is not None]

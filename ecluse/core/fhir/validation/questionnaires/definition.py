"""The conditions of a Questionnaire: each names a question that can be answered before.

Enters: an accepted Questionnaire. Leaves: findings.
Spec: http://hl7.org/fhir/R4/questionnaire-definitions.html#Questionnaire.item.enableWhen.question
"""

from __future__ import annotations

from typing import Any

from ecluse.core.fhir.validation.profiles.run import Run
from ecluse.core.fhir.validation.questionnaires.finding import UNREADABLE
from ecluse.core.fhir.validation.questionnaires.questions import Question, every, questions


def check_questionnaire(run: Run, questionnaire: dict[str, Any], place: str) -> None:
    """Checks what the conditions of all items refer to. place: of the Questionnaire"""
    try:
        asked = questions(questionnaire.get("item", []))
    except UNREADABLE:  # a linkId that is only extensions
        return
    order = {question.link_id: index for index, question in enumerate(every(asked))}
    _items(run, asked, order, place)


def _items(run: Run, asked: tuple[Question, ...], order: dict[str, int], place: str) -> None:
    for index, question in enumerate(asked):
        own = f"{place}.item[{index}]"
        for number, condition in enumerate(question.source.get("enableWhen", ())):
            _target(run, question, str(condition.get("question")), order, f"{own}.enableWhen[{number}].question")
        _items(run, question.items, order, own)


def _target(run: Run, question: Question, target: str, order: dict[str, int], place: str) -> None:
    diagnostics = f"found {target}"
    if target not in order:
        text = "Use the linkId of an item of this Questionnaire: none has this one, so the condition is never met."
        run.add(place, text, "business-rule", diagnostics)
    elif target in question.links:
        text = f"Let the condition of {question.link_id} be on a question outside of it: this one is in it."
        run.add(place, text, "business-rule", diagnostics)
    elif order[target] > order[question.link_id]:
        text = f"Put question {target} before {question.link_id}, whose condition it is: it is answered first."
        run.add(place, text, "business-rule", diagnostics, "warning")

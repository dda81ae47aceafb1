"""A QuestionnaireResponse, held against its Questionnaire: everything that is wrong, at once.

Enters: an accepted response. Leaves: findings, under the canonical of the Questionnaire.
Spec: http://hl7.org/fhir/R4/questionnaireresponse.html#notes
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from ecluse.core.fhir.validation.profiles.checks import any_of, found
from ecluse.core.fhir.validation.profiles.run import Run
from ecluse.core.fhir.validation.questionnaires.enabling import EXPRESSIONS, Frame, is_enabled
from ecluse.core.fhir.validation.questionnaires.finding import UNREADABLE, asked_of, unreadable
from ecluse.core.fhir.validation.questionnaires.form import Form
from ecluse.core.fhir.validation.questionnaires.limits import check_limits, is_of_type
from ecluse.core.fhir.validation.questionnaires.options import check_exclusive, check_option
from ecluse.core.fhir.validation.questionnaires.questions import (
    EXTENSION,
    WITHOUT_ANSWERS,
    Question,
    Value,
    value_of,
)

if TYPE_CHECKING:
    from ecluse.core.fhir.validation.profiles.profiles import Profiles

Placed = tuple[dict[str, Any], str]
"""An item or answer of a response, and where it stands."""


def check_response(profiles: Profiles, run: Run, response: dict[str, Any], place: str) -> None:
    """Checks a response by its Questionnaire, as far as that is here. place: of the response

    Raises: NotLoaded when the Questionnaire has to be fetched first"""
    form = asked_of(profiles, run, response, place)
    if form is None:
        return
    try:
        _items(form, form.questions, (response, place), ())
    except UNREADABLE:
        unreadable(run, form.questionnaire)
    else:
        run.issues.extend(form.run.issues)


def _items(form: Form, questions: tuple[Question, ...], parent: Placed, frames: Sequence[Frame]) -> None:
    """The items of a response, a group or an answer. frames: the items around them"""
    order = {question.link_id: index for index, question in enumerate(questions)}
    by_link: dict[str, list[Placed]] = {}
    last = -1
    for position, item in enumerate(parent[0].get("item", ())):
        link, place = item.get("linkId", ""), f"{parent[1]}.item[{position}]"
        if link not in order:
            _stray(form, link, (item, place), frames)
            continue
        if order[link] < last:
            text = f"Move the items of question {link} before those of {questions[last].link_id}."
            form.run.add(place, f"{text[:-1]}: the Questionnaire has them in this order.", "structure")
        last = order[link]
        by_link.setdefault(link, []).append((item, place))
    for question in questions:
        _question(form, question, by_link.get(question.link_id, []), parent, frames)


def _stray(form: Form, link: str, stray: Placed, frames: Sequence[Frame]) -> None:
    """An item where the Questionnaire has none with its linkId."""
    question = form.everywhere.get(link)
    place = f"{stray[1]}.linkId"
    if question is None:
        text = "Use a linkId of the Questionnaire, or leave this item out: no question there has this one."
        form.run.add(place, text, "not-found", f"found {link}")
        return
    text = "Move this item to where the Questionnaire has its question: inside another item, or outside of this one."
    form.run.add(place, text, "structure", f"found {link}")
    _item(form, question, stray, frames)


def _question(form: Form, question: Question, items: list[Placed], parent: Placed, frames: Sequence[Frame]) -> None:
    """All items of one question that stand together."""
    filled = [(item, place) for item, place in items if item.get("answer") or item.get("item")]
    enabled = is_enabled(form, question, frames)
    if enabled is None:
        form.unchecked(f"whether question {question.link_id} is enabled")
    if enabled is False and question.type != "display":
        for item, place in filled:
            text = f"Leave this item out: question {question.link_id} is not enabled by the other answers."
            form.run.add(place, text, "invalid", _condition(question) or found(item.get("linkId")))
        return
    if enabled and question.required and not filled:
        kind = "an item of" if question.type == "group" else "an answer to"
        text = f"Add {kind} question {question.link_id}: the Questionnaire requires it."
        place = items[0][1] if items else parent[1]
        form.run.add(place, text, "required", f"found none{_words(question)}", form.incomplete)
    _occurrences(form, question, items)
    for one in items:
        _item(form, question, one, frames)


def _words(question: Question) -> str:
    """What the question says, to find it by."""
    text = question.source.get("text")
    return f'; its text: "{text[:100]}"' if isinstance(text, str) else ""


def _condition(question: Question) -> str:
    """What enables a question, in words."""
    parts = []
    for one in question.source.get("enableWhen", ()):
        wanted = value_of(one, "answer")
        parts.append(f"{one.get('question')} {one.get('operator')} {found(wanted.data)[6:] if wanted else ''}".strip())
    joint = " or " if question.source.get("enableBehavior") == "any" else " and "
    return f"enabled when {joint.join(parts)}" if parts else str(question.extension(*EXPRESSIONS) or "")[:200]


def _occurrences(form: Form, question: Question, items: list[Placed]) -> None:
    """How many items, and how many answers, a question may have."""
    answers = [(one, f"{place}.answer[{n}]") for item, place in items for n, one in enumerate(item.get("answer", ()))]
    counted = items if question.type == "group" else answers
    name = "items" if question.type == "group" else "answers"
    least, most = (question.extension(f"{EXTENSION}questionnaire-{which}Occurs") for which in ("min", "max"))
    if not question.repeats:
        for _, place in items[1:]:
            text = f"Leave this item out: question {question.link_id} does not repeat."
            form.run.add(place, text, "invalid", f"found {len(items)} items")
        for item, place in items:
            if len(item.get("answer", ())) > 1:
                text = f"Leave one answer to question {question.link_id}: it does not repeat."
                form.run.add(place, text, "invalid", f"found {len(item['answer'])} answers")
    elif isinstance(most, int) and len(counted) > most:
        text = f"Leave at most {most} {name} of question {question.link_id}."
        form.run.add(items[0][1], text, "invalid", f"found {len(counted)}")
    if items and isinstance(least, int) and len(counted) < least:
        text = f"Add {name} of question {question.link_id} until there are {least}."
        form.run.add(items[0][1], text, "invalid", f"found {len(counted)}", form.incomplete)


def _item(form: Form, question: Question, item: Placed, frames: Sequence[Frame]) -> None:
    """One item of a response."""
    value, place = item
    _wording(form, question, value, f"{place}.text")
    if question.type in WITHOUT_ANSWERS and value.get("answer"):
        _unanswered(form, question, value, f"{place}.answer")
    if question.type == "group":
        _items(form, question.items, item, (*frames, Frame(question, value, value)))
    elif value.get("item"):
        where = "leave them out" if question.type == "display" else "put them into its answer"
        text = f"Question {question.link_id} of type {question.type} has no items right inside: {where}."
        form.run.add(f"{place}.item", text, "structure", f"found {len(value['item'])} items")
    if question.type not in WITHOUT_ANSWERS:
        _answers(form, question, item, frames)


def _unanswered(form: Form, question: Question, item: dict[str, Any], place: str) -> None:
    fix = {"group": "put what it holds into item", "display": "leave it out"}
    text = (
        f"Question {question.link_id} of type {question.type} has no answer: {fix.get(question.type, 'leave it out')}."
    )
    form.run.add(place, text, "structure", f"found {len(item['answer'])} answers")


def _answers(form: Form, question: Question, item: Placed, frames: Sequence[Frame]) -> None:
    """The answers of one item, each with its value and the items inside."""
    chosen: list[tuple[Value, str]] = []
    for index, answer in enumerate(item[0].get("answer", ())):
        place = f"{item[1]}.answer[{index}]"
        value = value_of(answer)
        if value is not None:
            chosen.append((value, f"{place}.value"))
        _items(form, question.items, (answer, place), (*frames, Frame(question, item[0], answer)))
    for value, place in chosen:
        if is_of_type(form, question, value, place) and value.data is not None:
            check_option(form, question, value, place)
            check_limits(form, question, value, place)
    check_exclusive(form, question, chosen)


def _wording(form: Form, question: Question, item: dict[str, Any], place: str) -> None:
    """A text that the item repeats is the one of the question, or a translation of it."""
    said, asked = item.get("text"), question.source.get("text")
    if isinstance(said, str) and isinstance(asked, str) and said.split() != asked.split():
        wordings = [asked, *translations(question.source.get("_text"))]
        if all(said.split() != one.split() for one in wordings):
            text = f"Repeat the text of question {question.link_id} as the Questionnaire has it, or leave it out."
            form.run.add(place, text, "value", f"{found(said)}; there: {any_of(wordings[:3])[:200]}", "warning")


def translations(sibling: Any) -> list[str]:
    """The translations of a text. sibling: the id and extensions of the text

    Spec: http://hl7.org/fhir/R4/extension-translation.html"""
    found_there: list[str] = []
    for one in sibling.get("extension", ()) if isinstance(sibling, dict) else ():
        if one.get("url") == f"{EXTENSION}translation":
            contents = (value_of(part) for part in one.get("extension", ()) if part.get("url") == "content")
            found_there.extend(str(value.data) for value in contents if value is not None)
    return found_there

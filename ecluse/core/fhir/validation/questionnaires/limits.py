"""What one answer may be: its type, its length, its range, its unit, its target.

Enters: an answer's value and its question. Leaves: findings.
Spec: http://hl7.org/fhir/R4/questionnaire-profiles.html
"""

from __future__ import annotations

from decimal import Decimal
from typing import Any

from ecluse.core.fhir.definitions.structures import structures
from ecluse.core.fhir.fhirpath.expression import compile
from ecluse.core.fhir.fhirpath.failures import FhirPathError
from ecluse.core.fhir.fhirpath.scope import Given
from ecluse.core.fhir.validation.profiles.checks import any_of, found
from ecluse.core.fhir.validation.profiles.value_sets import Coded
from ecluse.core.fhir.validation.profiles.values import told
from ecluse.core.fhir.validation.questionnaires.comparing import NUMBERS, as_number, compared, quantities
from ecluse.core.fhir.validation.questionnaires.form import Form
from ecluse.core.fhir.validation.questionnaires.options import is_in
from ecluse.core.fhir.validation.questionnaires.questions import EXTENSION, SDC, Question, Value

_CHOSEN = ("Coding", "Date", "Integer", "Reference", "String", "Time")
KINDS: dict[str, tuple[str, ...]] = {
    "boolean": ("Boolean",),
    "decimal": ("Decimal",),
    "integer": ("Integer",),
    "date": ("Date",),
    "dateTime": ("DateTime",),
    "time": ("Time",),
    "string": ("String",),
    "text": ("String",),
    "url": ("Uri",),
    "choice": _CHOSEN,
    "open-choice": _CHOSEN,
    "attachment": ("Attachment",),
    "reference": ("Reference",),
    "quantity": ("Quantity",),
}
"""Which value[x] answers which type of item. Choices are of all types that answerOption has: HL7's validator asks no
more where no options are given.

Spec: http://hl7.org/fhir/R4/valueset-item-type.html"""


def is_of_type(form: Form, question: Question, value: Value, place: str) -> bool:
    """Whether an answer is of the type of its question; if not, that is told."""
    wanted = KINDS.get(question.type, (value.kind,))
    if value.kind in wanted:
        return True
    names = any_of([f"value{kind}" for kind in wanted])
    text = f"Answer question {question.link_id} with {names}: it is a question of type {question.type}."
    form.run.add(place, text, "structure", f"found value{value.kind}")
    return False


def check_limits(form: Form, question: Question, value: Value, place: str) -> None:
    """Everything that the question says of a single answer beyond its type and its options."""
    if isinstance(value.data, str) and value.kind in ("String", "Uri"):
        _text(form, question, value.data, place)
    if value.kind == "Decimal":
        _decimal_places(form, question, value.data, place)
    if value.kind == "Quantity":
        _unit(form, question, value.data, place)
        _quantity_range(form, question, value.data, place)
    elif value.kind == "Attachment":
        _attachment(form, question, value.data, place)
    elif value.kind == "Reference":
        _target(form, question, value.data, place)
    else:
        _range(form, question, value, place)


def _text(form: Form, question: Question, text: str, place: str) -> None:
    longest, shortest = question.source.get("maxLength"), question.extension(f"{EXTENSION}minLength")
    shown = f"found {len(text)} characters"
    if isinstance(longest, int) and len(text) > longest:
        words = f"Shorten the answer to question {question.link_id} to {longest} characters."
        form.run.add(place, words, "too-long", shown)
    if isinstance(shortest, int) and len(text) < shortest:
        words = f"Answer question {question.link_id} with at least {shortest} characters."
        form.run.add(place, words, "value", shown)
    if question.type == "string" and ("\n" in text or "\r" in text):
        words = (
            f"Write the answer to question {question.link_id} on one line: only questions of type text take several."
        )
        form.run.add(place, words, "value", found(text), "warning")
    for pattern in question.extensions(f"{EXTENSION}regex"):
        _pattern(form, question, str(pattern.data), text, place)


def _pattern(form: Form, question: Question, pattern: str, text: str, place: str) -> None:
    try:
        matches = compile("matchesFull(%pattern)").holds(text, Given({"pattern": pattern}))  # with its limit of time
    except FhirPathError as error:
        form.unchecked(f"the pattern of question {question.link_id}: {error}")
        return
    if matches is False:
        shape = question.extension(f"{EXTENSION}entryFormat") or f"the pattern {pattern}"
        form.run.add(place, f"Write the answer to question {question.link_id} as {shape}.", "value", found(text))


def _decimal_places(form: Form, question: Question, data: Any, place: str) -> None:
    most, exact = question.extension(f"{EXTENSION}maxDecimalPlaces"), as_number(data)
    if isinstance(most, int) and exact is not None and places_of(exact) > most:
        text = f"Round the answer to question {question.link_id} to {most} decimal places."
        form.run.add(place, text, "value", found(data))


def places_of(exact: Decimal) -> int:
    """How many decimal places a number is written with."""
    exponent = exact.as_tuple().exponent
    return max(0, -exponent) if isinstance(exponent, int) else 0


def _range(form: Form, question: Question, value: Value, place: str) -> None:
    for url, wrong, words in (("minValue", -1, "at least"), ("maxValue", 1, "at most")):
        for limit in question.extensions(f"{EXTENSION}{url}"):
            if (value.kind in NUMBERS) == (limit.kind in NUMBERS) and compared(value, limit) == wrong:
                text = f"Answer question {question.link_id} with {words} {told(limit.data)}."
                form.run.add(place, text, "value", found(value.data))


def _quantity_range(form: Form, question: Question, data: Any, place: str) -> None:
    for name, wrong, words in (("minQuantity", -1, "at least"), ("maxQuantity", 1, "at most")):
        limit = question.extension(f"{SDC}sdc-questionnaire-{name}", f"{EXTENSION}questionnaire-{name}")
        if not isinstance(limit, dict):
            continue
        order, bound = quantities(data, limit), quantity_told(limit)
        if order == wrong:
            text = f"Answer question {question.link_id} with {words} {bound}."
            form.run.add(place, text, "value", f"found {quantity_told(data)}")
        elif order is None and as_number(data.get("value")) is not None and not data.get("comparator"):
            text = f"Answer question {question.link_id} in a unit that can be compared with {bound}."
            form.run.add(place, text, "value", f"found {quantity_told(data)}")


def quantity_told(quantity: dict[str, Any]) -> str:
    """`5 kg`."""
    return f"{told(quantity.get('value'))} {quantity.get('unit', quantity.get('code', ''))}".strip()


def _unit(form: Form, question: Question, data: dict[str, Any], place: str) -> None:
    """The unit is one of those that are offered, or of their value set."""
    offered = [one.data for one in question.extensions(f"{EXTENSION}questionnaire-unitOption")]
    named = (data.get("system"), data.get("code"))
    if offered and named not in [(one.get("system"), one.get("code")) for one in offered]:
        names = any_of([str(one.get("display") or one.get("code")) for one in offered])
        text = f"Answer question {question.link_id} in {names}, with system and code of the unit."
        form.run.add(place, text, "code-invalid", f"found {quantity_told(data)}")
    value_set = question.extension(f"{EXTENSION}questionnaire-unitValueSet")
    if isinstance(value_set, str):
        _unit_in(form, question, value_set, data, place)


def _unit_in(form: Form, question: Question, value_set: str, data: dict[str, Any], place: str) -> None:
    code = data.get("code")
    inside = is_in(form, value_set, Coded(data.get("system", ""), code)) if isinstance(code, str) else False
    if inside is None:
        form.unchecked(f"codes of {value_set}")
    elif not inside:
        text = f"Answer question {question.link_id} in a unit of the value set {value_set}, with system and code."
        form.run.add(place, text, "code-invalid", f"found {quantity_told(data)}")


def _attachment(form: Form, question: Question, data: dict[str, Any], place: str) -> None:
    allowed = [one.data for one in question.extensions(f"{EXTENSION}mimeType")]
    kind, size = data.get("contentType"), data.get("size")
    if allowed and kind not in allowed:
        text = f"Answer question {question.link_id} with a file of type {any_of(allowed)}."
        form.run.add(place, text, "value", f"found {kind or 'no contentType'}")
    most = as_number(question.extension(f"{EXTENSION}maxSize"))
    length = size if isinstance(size, int) else decoded_bytes(data.get("data"))
    if most is not None and length is not None and length > most:
        text = f"Answer question {question.link_id} with a file of at most {most} bytes."
        form.run.add(place, text, "too-long", f"found {length} bytes")


def decoded_bytes(data: Any) -> int | None:
    """How many bytes base64 stands for."""
    if not isinstance(data, str):
        return None
    text = "".join(data.split())
    return len(text) * 3 // 4 - text.count("=")


def _target(form: Form, question: Question, data: dict[str, Any], place: str) -> None:
    allowed = [str(one.data) for one in question.extensions(f"{EXTENSION}questionnaire-referenceResource")]
    known = [name for name in allowed if name in structures().resources]
    target = form.run.target_type(data)
    if known and target and target not in known:
        text = f"Answer question {question.link_id} with a reference to {any_of(known)}."
        form.run.add(place, text, "structure", f"found {data.get('reference', target)}")

"""The value of an Observation or of one of its components, as OMOP columns.

Enters: an element with value[x]. Leaves: number, operator, unit, coded answer; never a text that somebody typed.
Spec: http://hl7.org/fhir/R4/observation-definitions.html#Observation.value_x_
"""

from __future__ import annotations

import re
from decimal import Decimal
from typing import Any, NamedTuple

from mappers.warehouse import coding, concepts, dates, quantity

_TIME = re.compile(r"\d\d:\d\d:\d\d(\.\d+)?")


class Value(NamedTuple):
    """number with operator and unit, or answer: a code, a date, true or false. source: verbatim; lost: it was free
    text.
    """

    number: Decimal | None = None
    operator: int | None = None
    unit: str | None = None
    source: str | None = None
    answer: str | None = None
    coded: bool = False
    lost: bool = False


def value(element: dict[str, Any]) -> Value:
    """The value[x] of an element; an empty Value when it has none."""
    for name, read in _READERS.items():
        if (found := element.get(name)) is not None:
            read_value: Value = read(found)
            return read_value
    return Value()


def _quantity(found: dict[str, Any]) -> Value:
    comparator = found.get("comparator") or ""
    written = quantity.lexeme(found.get("value"))
    source = comparator + written if written is not None and comparator in ("", *concepts.OPERATOR) else written
    return Value(quantity.amount(found), concepts.OPERATOR.get(comparator), coding.unit(found), source)


def _number(found: Any) -> Value:
    return Value(quantity.decimal(found), source=quantity.lexeme(found))


def _concept(found: dict[str, Any]) -> Value:
    answer = coding.source(found)
    return Value(source=answer, answer=answer, coded=answer is not None, lost=answer is None)


def _boolean(found: bool) -> Value:
    text = "true" if found else "false"
    return Value(source=text, answer=text)


def _date(found: str) -> Value:
    return Value(source=found, answer=found) if dates.moment(found) else Value(lost=True)


def _time(found: str) -> Value:
    return Value(source=found, answer=found) if _TIME.fullmatch(found) else Value(lost=True)


def _period(found: dict[str, Any]) -> Value:
    ends = [end if end and dates.moment(end) else "" for end in (found.get("start"), found.get("end"))]
    return Value(answer="/".join(ends))


def _range(found: dict[str, Any]) -> Value:
    low, high = found.get("low") or {}, found.get("high") or {}
    ends = [quantity.lexeme(end.get("value")) or "" for end in (low, high)]
    return Value(unit=coding.unit(low) or coding.unit(high), source="-".join(ends))


def _ratio(found: dict[str, Any]) -> Value:
    parts = [found.get("numerator") or {}, found.get("denominator") or {}]
    numbers = [quantity.lexeme(part.get("value")) or "" for part in parts]
    units = [coding.unit(part) or "" for part in parts]
    return Value(unit="/".join(filter(None, units)) or None, source=":".join(numbers))


def _free(_: Any) -> Value:
    return Value(lost=True)


_READERS: dict[str, Any] = {
    "valueQuantity": _quantity,
    "valueCodeableConcept": _concept,
    "valueString": _free,
    "valueBoolean": _boolean,
    "valueInteger": _number,
    "valueRange": _range,
    "valueRatio": _ratio,
    "valueSampledData": _free,
    "valueTime": _time,
    "valueDateTime": _date,
    "valuePeriod": _period,
}

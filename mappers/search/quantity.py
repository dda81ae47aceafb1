"""Quantity parameters: numbers with units, and money.

Enters: a value of a resource, or the text of a query. Leaves: rows with the value as it was written and in a canonical
unit, or the same to compare with. The canonical unit of one of UCUM is made of base units (1 g = 1000 mg); of another
system it is the unit itself, of money its currency. A comparator makes a range of a value: `<5` is all below 5. An
unknown end of a Range is open. Of a series (SampledData) the least and the greatest value are the ends of a range.
Spec: http://hl7.org/fhir/R4/search.html#quantity
"""

from __future__ import annotations

from decimal import Decimal
from functools import lru_cache
from typing import Any, NamedTuple

from ecluse.core.fhir import json, ucum
from mappers.search import number
from mappers.search.number import NOT_AFTER, NOT_BEFORE, next_above, next_below
from mappers.search.question import Amount, Question, Value, parts, plain, refused
from mappers.search.rows import IndexRows, Reader, Visit
from mappers.search.token import system_key

CURRENCIES = "urn:iso:std:iso:4217"
_ADVICE = f"write number, number|system|code or number||unit, like 5.4|{ucum.SYSTEM}|mg, alone or after a prefix."

Bounds = tuple[Decimal, Decimal]


class Measure(NamedTuple):
    """A unit as the index holds it: keys of the canonical one, of the code and of the text, 0 for none; to: the unit of
    UCUM that values are converted by."""

    unit: int
    code: int
    text: int
    to: ucum.Unit | None


NO_UNIT = Measure(0, 0, 0, None)


@lru_cache(maxsize=4096)
def normalise(system: str, code: str, text: str = "") -> Measure:
    """The keys of a unit, and how its values become comparable."""
    to = ucum.unit(code) if system == ucum.SYSTEM and code else None
    named = f"{ucum.SYSTEM}|={to.base}" if to else f"{system}|{code}" if system and code else ""
    unit, coded, shown = (system_key(one) if one else 0 for one in (named, code, text))
    return Measure(unit, coded, shown, to)


def _measured(value: dict[str, Any]) -> Measure:
    return normalise(value.get("system", ""), value.get("code", ""), value.get("unit", ""))


def _canonical(exact: Decimal, measure: Measure) -> Decimal:
    return ucum.converted(exact, measure.to) if measure.to else exact


def _bounds(exact: Decimal, comparator: str | None) -> Bounds:
    """The range of a value with a comparator; an end that does not belong to it is the number next to it."""
    match comparator:
        case None:
            return exact, exact
        case "<":
            return NOT_AFTER, next_below(exact)
        case "<=":
            return NOT_AFTER, exact
        case ">":
            return next_above(exact), NOT_BEFORE
    return exact, NOT_BEFORE


def _quantity(path: int) -> Visit:
    def visit(value: dict[str, Any], rows: IndexRows) -> None:
        if (given := value.get("value")) is None:
            return
        measure, exact, comparator = _measured(value), number.normalise(given), value.get("comparator")
        canonical = _bounds(_canonical(exact, measure), comparator)
        rows[4].append((path, 0, *measure[:3], *_bounds(exact, comparator), *canonical))

    return visit


def _range(path: int) -> Visit:
    def visit(value: dict[str, Any], rows: IndexRows) -> None:
        low, high = value.get("low", {}), value.get("high", {})
        ends = [end for end in (low, high) if "value" in end]
        if not ends:
            return
        measures = [_measured(end) for end in ends]
        unit = measures[0].unit if len({measure.unit for measure in measures}) == 1 else 0
        (written_low, canonical_low), (written_high, canonical_high) = _end(low, NOT_AFTER), _end(high, NOT_BEFORE)
        bounds = written_low, written_high, canonical_low, canonical_high
        rows[4].append((path, 0, unit, measures[0].code, measures[0].text, *bounds))

    return visit


def _end(of: dict[str, Any], unknown: Decimal) -> Bounds:
    """One end, as it was written and in the canonical unit; the ends of a Range may have units of their own."""
    if "value" not in of:
        return unknown, unknown
    exact = number.normalise(of["value"])
    return exact, _canonical(exact, _measured(of))


def _money(path: int) -> Visit:
    def visit(value: dict[str, Any], rows: IndexRows) -> None:
        if (given := value.get("value")) is None:
            return
        currency = value.get("currency")
        measure = normalise(CURRENCIES, currency) if currency else NO_UNIT
        exact = number.normalise(given)
        rows[4].append((path, 0, *measure[:3], exact, exact, exact, exact))

    return visit


def _sampled(path: int) -> Visit:
    def visit(value: dict[str, Any], rows: IndexRows) -> None:
        origin, numbers = value.get("origin", {}), _numbers(value.get("data", ""))
        if not numbers or "value" not in origin:
            return
        measure, start = _measured(origin), number.normalise(origin["value"])
        factor = number.normalise(value["factor"]) if "factor" in value else Decimal(1)
        ends = sorted(number.sum_of(start, factor, one) for one in (min(numbers), max(numbers)))
        low, high = [_canonical(end, measure) for end in ends]
        rows[4].append((path, 0, *measure[:3], ends[0], ends[1], low, high))

    return visit


def _numbers(data: str) -> list[Decimal]:
    """The values of a series; E (an error), L and U (beyond the limits) are none."""
    return [Decimal(one) for one in data.split() if json.is_bounded(one)]


READERS: dict[str, Reader] = {
    **dict.fromkeys(("Quantity", "Age", "Count", "Distance", "Duration"), _quantity),
    "Money": _money,
    "Range": _range,
    "SampledData": _sampled,
}


def asked(text: str, question: Question) -> list[Value]:
    """The number with or without a unit that is looked for, and how to compare with it; without prefix, `eq`.

    Raises: BadRequest (400) when it is neither"""
    first, *unit = map(plain, parts(text, "|"))
    found = number.written(first)
    if found is None or len(unit) not in (0, 2) or (unit and unit[0] and not unit[1]):
        raise refused(question, text, _ADVICE)
    if not unit or not unit[1]:
        return [Amount(*found)]
    system, code = unit
    if not system:
        return [Amount(*found, text=system_key(code))]
    measure = normalise(system, code)
    low, high, exact = (_canonical(one, measure) for one in found[1:])
    return [Amount(found.prefix, low, high, exact, unit=measure.unit)]

"""Numbers and quantities as ranges, and what each prefix says of them.

Enters: the text of a query and a value of a resource. Leaves: whether they match. An end of a range is (number, 0) just
before the number or (number, 1) just after it, so that a point, [(5, 0), (5, 1)), and "less than 5" are ranges like all
others.
Spec: http://hl7.org/fhir/R4/search.html#number, http://hl7.org/fhir/R4/search.html#quantity
"""

from __future__ import annotations

from collections.abc import Iterator
from decimal import Decimal
from fractions import Fraction
from typing import Any, NamedTuple

from tests.property.search.definitions import Value
from tests.property.search.ranges import Range, contains, overlaps, split_prefix
from tests.property.search.texts import parts, plain
from tests.property.search.units import Unit, canonical

LEAST = (Fraction(-(10**60)), 0)
MOST = (Fraction(10**60), 1)
CURRENCIES = "urn:iso:std:iso:4217"
UNIT = ("system", "code", "unit")


class Amount(NamedTuple):
    """A range of numbers in a unit, as a resource has it."""

    range: Range
    system: str = ""
    code: str = ""
    unit: str = ""


def closed(low: Any, high: Any) -> Range:
    """All numbers from low to high, both of them among them; None for an end that is open."""
    return Range(
        LEAST if low is None else (Fraction(str(low)), 0),
        MOST if high is None else (Fraction(str(high)), 1),
    )


def numbers_match(prefix: str, text: str, target: Range, factor: Fraction = Fraction(1)) -> bool:
    """The prefix between a number that is asked for and a target. For `eq` and `ne` the number is what its last digit
    leaves open, for `ap` a tenth around that, otherwise exactly itself. factor: of the unit it is asked in"""
    number = Fraction(Decimal(text))
    margin = _half_of_last_digit(text) + (abs(number) / 10 if prefix == "ap" else 0)
    around = Range(((number - margin) * factor, 0), ((number + margin) * factor, 0))
    if prefix in ("eq", "ne"):
        return contains(around, target) is (prefix == "eq")
    if prefix == "ap":
        return overlaps(around, target)
    before, after = (number * factor, 0), (number * factor, 1)
    return {
        "gt": overlaps(Range(after, MOST), target),
        "ge": overlaps(Range(before, MOST), target),
        "lt": overlaps(Range(LEAST, before), target),
        "le": overlaps(Range(LEAST, after), target),
        "sa": contains(Range(after, MOST), target),
        "eb": contains(Range(LEAST, before), target),
    }[prefix]


def _half_of_last_digit(text: str) -> Fraction:
    """Half of what the last digit counts; in `1e2`, says the specification, that is 10."""
    last = int(Decimal(text).as_tuple().exponent)
    return Fraction(10) ** (last - ("e" in text and "." not in text)) / 2


def amounts(value: Value) -> Iterator[Amount]:
    """What a number, quantity, range, money or sampled data of a resource says, if anything."""
    data = value.data
    if not isinstance(data, dict):
        yield Amount(closed(data, data))
    elif value.type == "Range":
        yield from _of_range(data)
    elif value.type == "SampledData":
        yield from _of_samples(data)
    elif "value" in data:
        unit = (CURRENCIES, data.get("currency", ""), "") if value.type == "Money" else _unit(data)
        yield Amount(_compared(data), *unit)


def _unit(data: dict[str, Any]) -> tuple[str, ...]:
    return tuple(data.get(name, "") for name in UNIT)


def _compared(data: dict[str, Any]) -> Range:
    """The range of a quantity with a comparator: `<5` is anything less."""
    exact = closed(data["value"], data["value"])
    return {
        "<": Range(LEAST, exact.low),
        "<=": Range(LEAST, exact.high),
        ">": Range(exact.high, MOST),
        ">=": Range(exact.low, MOST),
    }.get(data.get("comparator", ""), exact)


def _of_range(data: dict[str, Any]) -> Iterator[Amount]:
    low, high = data.get("low", {}), data.get("high", {})
    if "value" in low or "value" in high:
        yield Amount(closed(low.get("value"), high.get("value")), *_unit(low if "value" in low else high))


def _of_samples(data: dict[str, Any]) -> Iterator[Amount]:
    origin = data["origin"]
    found = [Fraction(one) for one in data.get("data", "").split() if one not in ("E", "U", "L")]
    values = [Fraction(str(origin.get("value", 0))) + Fraction(str(data.get("factor", 1))) * one for one in found]
    if values:
        yield Amount(closed(min(values), max(values)), *_unit(origin))


def number_matches(value: Value, asked: str) -> bool:
    """Whether a number parameter matches."""
    prefix, text = split_prefix(asked)
    return any(numbers_match(prefix, text, one.range) for one in amounts(value))


def quantity_matches(value: Value, asked: str) -> bool:
    """Whether `number`, `number|system|code` or `number||code` matches."""
    head, *rest = [plain(part) for part in parts(asked, "|")]
    prefix, text = split_prefix(head)
    system, code = rest if rest else ("", "")
    return any(_amount_matches(one, prefix, text, system, code) for one in amounts(value))


def _amount_matches(one: Amount, prefix: str, text: str, system: str, code: str) -> bool:
    """Units of UCUM are compared by what they are, all others by how they are written."""
    asked, own = canonical(system, code), canonical(one.system, one.code)
    if asked and own:
        return asked.dimension == own.dimension and numbers_match(
            prefix, text, in_base_unit(one.range, own), asked.factor
        )
    written = (system, code) == (one.system, one.code) if system else not code or code in (one.code, one.unit)
    return written and numbers_match(prefix, text, one.range)


def in_base_unit(range_: Range, unit: Unit) -> Range:
    """The same range in the base unit of what it measures."""
    low, high = range_
    return Range(
        low if low == LEAST else (low[0] * unit.factor, low[1]),
        high if high == MOST else (high[0] * unit.factor, high[1]),
    )

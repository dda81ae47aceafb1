"""Number parameters, and what numbers are to searches.

Enters: a value of a resource, or the text of a query. Leaves: rows among the quantities, without unit, or the same
numbers to compare with. Numbers are decimals, never floats; of one with more than 34 significant digits those count.

A number of a resource is taken as exact. One of a query is exact too, but for `eq`, `ne` and `ap`: there it stands for
all that are rounded to it, `100` for [99.5, 100.5) and `1e2`, as the specification has it, for [95, 105).
Spec: http://hl7.org/fhir/R4/search.html#number
"""

from __future__ import annotations

from decimal import MAX_EMAX, MIN_EMIN, Context, Decimal
from typing import Any, NamedTuple

import msgspec

from ecluse.core.fhir import json, ucum
from mappers.search.question import Amount, Question, Value, refused
from mappers.search.rows import IndexRows, Reader, Visit

PREFIXES = ("eq", "ne", "gt", "lt", "ge", "le", "sa", "eb", "ap")
NOT_AFTER, NOT_BEFORE = Decimal("-Infinity"), Decimal("Infinity")
"""Where an open range ends."""

NEXT_TO_0 = Decimal("1E-16383")
"""The least positive `numeric` that PostgreSQL holds; no number that the index reads is as near to 0, in any unit."""

_DIGITS = Context(prec=ucum.DIGITS, Emax=MAX_EMAX, Emin=MIN_EMIN)
_EXACT = Context(prec=10_000, Emax=MAX_EMAX, Emin=MIN_EMIN)
_ADVICE = f"write a number like 5.4, -3 or 1e2, alone or after one of {', '.join(PREFIXES)}."


class Written(NamedTuple):
    """A number of a query. low, high: the half-open interval of what is rounded to it, for `ap` widened."""

    prefix: str
    low: Decimal
    high: Decimal
    exact: Decimal


def normalise(value: int | msgspec.Raw) -> Decimal:
    """The number as the index holds it."""
    return _DIGITS.plus(Decimal(value) if isinstance(value, int) else json.number(value))


def _number(path: int) -> Visit:
    def visit(value: int | msgspec.Raw, rows: IndexRows) -> None:
        exact = normalise(value)
        rows[4].append((path, 0, 0, 0, 0, exact, exact, exact, exact))

    return visit


def _range(path: int) -> Visit:
    def visit(value: dict[str, Any], rows: IndexRows) -> None:
        low, high = value.get("low", {}).get("value"), value.get("high", {}).get("value")
        if low is not None or high is not None:
            bounds = (
                NOT_AFTER if low is None else normalise(low),
                NOT_BEFORE if high is None else normalise(high),
            )
            rows[4].append((path, 0, 0, 0, 0, *bounds, *bounds))

    return visit


READERS: dict[str, Reader] = {
    "integer": _number,
    "positiveInt": _number,
    "unsignedInt": _number,
    "decimal": _number,
    "Range": _range,
}


def asked(text: str, question: Question) -> list[Value]:
    """The number that is looked for, and how to compare with it; without prefix, `eq`.

    Raises: BadRequest (400) when it is none"""
    found = written(text)
    if found is None:
        raise refused(question, text, _ADVICE)
    return [Amount(*found)]


def written(text: str) -> Written | None:
    """A number as a query writes it; None when it is none."""
    prefix = text[:2] if text[:2] in PREFIXES else ""
    lexeme = text.removeprefix(prefix).strip().removeprefix("+")
    if not json.is_bounded(lexeme):
        return None
    exact = Decimal(lexeme)
    half = Decimal(5).scaleb(_last_digit(lexeme, exact) - 1, _DIGITS)
    low, high = _EXACT.subtract(exact, half), _EXACT.add(exact, half)
    if prefix == "ap":
        tenth = abs(exact).scaleb(-1, _DIGITS)
        low, high = _EXACT.subtract(low, tenth), _EXACT.add(high, tenth)
    return Written(prefix or "eq", low, high, exact)


def _last_digit(lexeme: str, exact: Decimal) -> int:
    """The power of ten of the last digit that is told; of `1e2`, by the specification, as of `1.0e2`."""
    exponent = exact.as_tuple().exponent
    assert isinstance(exponent, int)
    return exponent - 1 if "e" in lexeme.lower() and "." not in lexeme else exponent


def sum_of(start: Decimal, factor: Decimal, times: Decimal) -> Decimal:
    """start + factor · times, as the index holds numbers."""
    return _DIGITS.fma(factor, times, start)


def next_above(value: Decimal) -> Decimal:
    """The least number above, as the index tells numbers apart: where a range begins that leaves its end out."""
    return _DIGITS.next_plus(value) if value else NEXT_TO_0


def next_below(value: Decimal) -> Decimal:
    """The greatest number below."""
    return _DIGITS.next_minus(value) if value else -NEXT_TO_0

"""Two values of one type: which is less.

Enters: values as JSON has them. Leaves: -1, 0, 1, or None where it is not certain: dates of different precision,
quantities whose units do not measure the same.
"""

from __future__ import annotations

from decimal import Decimal
from typing import Any

import msgspec

from ecluse.core.errors import Unprocessable
from ecluse.core.fhir import ucum
from ecluse.core.fhir.dates import bounds
from ecluse.core.fhir.json import number
from ecluse.core.fhir.validation.questionnaires.questions import Value

NUMBERS = frozenset({"Decimal", "Integer", "PositiveInt", "UnsignedInt"})
DATES = frozenset({"Date", "DateTime", "Instant"})


def compared(one: Value, other: Value) -> int | None:
    """-1, 0 or 1; None when it is not certain, or the types cannot be compared."""
    if one.kind in NUMBERS and other.kind in NUMBERS:
        left, right = as_number(one.data), as_number(other.data)
        return None if left is None or right is None else _order(left, right)
    if one.kind in DATES and other.kind in DATES:
        return _dates(one.data, other.data) if isinstance(one.data, str) and isinstance(other.data, str) else None
    if one.kind == other.kind == "Quantity":
        return quantities(one.data, other.data)
    if one.kind != other.kind or type(one.data) is not type(other.data) or one.data is None:
        return None
    return _order(one.data, other.data) if isinstance(one.data, (str, bool)) else None


def _order(left: Any, right: Any) -> int:
    return int(left > right) - int(left < right)


def as_number(data: Any) -> Decimal | None:
    """The number that JSON has there, None when there is none."""
    return number(data) if isinstance(data, (int, msgspec.Raw)) and not isinstance(data, bool) else None


def _dates(left: str, right: str) -> int | None:
    """Moments by their intervals; days, months and years as they are written, for which no time zone counts."""
    if "T" in left and "T" in right:
        try:
            (low, high), (least, most) = bounds(left), bounds(right)
        except Unprocessable:
            return None
        return 0 if (low, high) == (least, most) else -1 if high <= least else 1 if low >= most else None
    left, right = left.partition("T")[0], right.partition("T")[0]
    shorter = min(len(left), len(right))
    order = _order(left[:shorter], right[:shorter])
    return order if order or len(left) == len(right) else None


def quantities(left: Any, right: Any) -> int | None:
    """-1, 0 or 1 of two Quantities: in the same unit, or in units of UCUM that measure the same."""
    if not isinstance(left, dict) or not isinstance(right, dict):
        return None
    one, other = as_number(left.get("value")), as_number(right.get("value"))
    if one is None or other is None or left.get("comparator") or right.get("comparator"):
        return None
    if _unit(left) == _unit(right):
        return _order(one, other)
    here, there = _of_ucum(left), _of_ucum(right)
    if here is None or there is None or here.base != there.base:
        return None
    return _order(ucum.converted(one, here), ucum.converted(other, there))


def _unit(quantity: dict[str, Any]) -> tuple[Any, Any]:
    """System and code; without these the unit as it is told."""
    return quantity.get("system"), quantity.get("code", quantity.get("unit"))


def _of_ucum(quantity: dict[str, Any]) -> ucum.Unit | None:
    code = quantity.get("code")
    return ucum.unit(code) if quantity.get("system") == ucum.SYSTEM and isinstance(code, str) else None

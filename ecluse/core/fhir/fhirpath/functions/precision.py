"""How precise a value is, and the least and greatest that it can stand for.

Later than N1, and used by invariants of R5 and of guides: `start.lowBoundary() <= end.highBoundary()`.
Spec: http://hl7.org/fhirpath/#lowboundaryprecision-integer-decimal--date--datetime--time
"""

from __future__ import annotations

from calendar import monthrange
from decimal import ROUND_CEILING, ROUND_FLOOR, Decimal
from typing import Any

from ecluse.core.fhir.fhirpath.failures import FhirPathError
from ecluse.core.fhir.fhirpath.functions.registry import of_value
from ecluse.core.fhir.fhirpath.quantity import Quantity, in_unit
from ecluse.core.fhir.fhirpath.temporal import Temporal

_VALUES = (int, Decimal, Quantity, Temporal)
_DIGITS = 8
_MOST_DIGITS = 28
_OF_DATE, _OF_TIME = (4, 6, 8, 10, 12, 14), (2, 4, 6)
"""Digits of a date-time down to each of its fields, of a time of day; milliseconds have three more."""
_FARTHEST_EAST, _FARTHEST_WEST = 14 * 60, -12 * 60


@of_value("precision", (int, Decimal, Temporal))
def precision(value: Any) -> int:
    """Digits after the point of a number, all digits of a date or time."""
    if not isinstance(value, Temporal):
        return _decimals(value)
    widths = _OF_TIME if value.kind == "Time" else _OF_DATE
    return widths[len(value.fields) - 1] + (3 if isinstance(value.fields[-1], Decimal) else 0)


@of_value("comparable", (Quantity,), 1)
def comparable(left: Any, right: Any) -> bool:
    """Whether two quantities measure the same."""
    return isinstance(right, Quantity) and in_unit(right, left.unit) is not None


@of_value("lowBoundary", _VALUES, 0, 1)
def low_boundary(value: Any, digits: Any = None) -> Any:
    """The least value that this one can stand for."""
    return _boundary(value, digits, least=True)


@of_value("highBoundary", _VALUES, 0, 1)
def high_boundary(value: Any, digits: Any = None) -> Any:
    """The greatest value that this one can stand for."""
    return _boundary(value, digits, least=False)


def _boundary(value: Any, digits: Any, least: bool) -> Any:
    if digits is not None and type(digits) is not int:
        raise FhirPathError("lowBoundary and highBoundary take a number of digits.")
    if isinstance(value, Temporal):
        return _of_temporal(value, digits, least)
    if isinstance(value, Quantity):
        number = _of_number(value.value, digits, least)
        return None if number is None else value._replace(value=number)
    return _of_number(Decimal(value), digits, least)


def _of_number(value: Decimal, digits: int | None, least: bool) -> Decimal | None:
    wanted = _DIGITS if digits is None else digits
    if not 0 <= wanted <= _MOST_DIGITS:
        return None
    half = Decimal(5).scaleb(-_decimals(value) - 1)
    bound = value - half if least else value + half
    return bound.quantize(Decimal(1).scaleb(-wanted), ROUND_FLOOR if least else ROUND_CEILING)


def _decimals(value: int | Decimal) -> int:
    exponent = Decimal(value).as_tuple().exponent
    return -exponent if isinstance(exponent, int) and exponent < 0 else 0


def _of_temporal(value: Temporal, digits: int | None, least: bool) -> Temporal | None:
    widths = _OF_TIME if value.kind == "Time" else _OF_DATE[:3] if value.kind == "Date" else _OF_DATE
    wanted = widths[-1] + (0 if value.kind == "Date" else 3) if digits is None else digits
    number = next((index + 1 for index, width in enumerate(widths) if width == wanted), 0)
    if value.kind != "Date" and wanted == widths[-1] + 3:
        number = len(widths)
    if not number:
        return None
    fields = _filled(value, least)[:number]
    zone = value.zone
    if value.kind == "DateTime" and number > 3 and zone is None:
        zone = _FARTHEST_EAST if least else _FARTHEST_WEST
    return value._replace(fields=fields, zone=zone if number > 3 else None)


def _filled(value: Temporal, least: bool) -> tuple[int | Decimal, ...]:
    """All fields, those that were not given as low or as high as they can be."""
    fields = list(value.fields) if value.kind != "Time" else [2000, 1, 1, *value.fields]
    second: int | Decimal = Decimal("0.000") if least else Decimal("59.999")
    rest = (1, 1, 1, 0, 0, second) if least else (1, 12, 31, 23, 59, second)
    for index in range(len(fields), 6):
        last = monthrange(int(fields[0]), int(fields[1]))[1] if index == 2 and not least else rest[index]
        fields.append(last)
    if not isinstance(fields[5], Decimal):
        fields[5] = fields[5] + (Decimal("0.000") if least else Decimal("0.999"))
    return tuple(fields[3:] if value.kind == "Time" else fields)

"""Dates, date-times and times with the precision that they were written in.

Enters: their text. Leaves: `Temporal` values that compare and calculate as FHIRPath says: what the precision leaves
open is None.
Spec: http://hl7.org/fhirpath/N1/#datetime
"""

from __future__ import annotations

import re
from datetime import datetime, timedelta
from decimal import Decimal
from functools import lru_cache
from typing import NamedTuple

from ecluse.core.fhir.fhirpath.quantity import Quantity, calendar_unit

_TIME = r"([0-9]{2})(?::([0-9]{2})(?::([0-9]{2}(?:\.[0-9]+)?))?)?"
_DATE = r"([0-9]{4})(?:-([0-9]{2})(?:-([0-9]{2}))?)?"
_DATETIME = re.compile(rf"{_DATE}(?:T(?:{_TIME})?(Z|[+-][0-9]{{2}}:[0-9]{{2}})?)?", re.ASCII)
_TIME_OF_DAY = re.compile(_TIME, re.ASCII)
_MOST = (9999, 12, 31, 23, 59, 60)
_LEAST = (1, 1, 1, 0, 0, 0)

UNITS = ("year", "month", "day", "hour", "minute", "second")
"""The fields of a date-time, by their index."""
_SECONDS: dict[str, Decimal | int] = {
    "year": 31_536_000,
    "month": 2_592_000,
    "week": 604_800,
    "day": 86_400,
    "hour": 3_600,
    "minute": 60,
    "second": 1,
    "millisecond": Decimal("0.001"),
}
_WEST, _EAST = timedelta(hours=12), timedelta(hours=14)
"""How far a time without zone may be from UTC."""


class Temporal(NamedTuple):
    """kind: "Date", "DateTime" or "Time"; fields: from the year (of a Time: from the hour) as far as it is precise;
    zone: minutes east of UTC."""

    kind: str
    fields: tuple[int | Decimal, ...]
    zone: int | None = None


@lru_cache(maxsize=8192)
def read(text: str, kind: str) -> Temporal | None:
    """The value of a text, None when it is none of the kind.

    kind: "Date", "DateTime" or "Time" """
    if kind == "Time":
        found = _TIME_OF_DAY.fullmatch(text)
        parts, zone = (list(found.groups()) if found else []), None
    else:
        found = _DATETIME.fullmatch(text)
        if found is None or (kind == "Date" and "T" in text):
            return None
        *parts, zone = found.groups()
    fields = tuple(Decimal(part) if "." in part else int(part) for part in parts if part is not None)
    first = 3 if kind == "Time" else 0
    if not fields or not all(a <= b <= c for a, b, c in zip(_LEAST[first:], fields, _MOST[first:], strict=False)):
        return None
    if kind != "Time" and len(fields) > 2 and _moment(fields[:3]) is None:
        return None
    return Temporal(kind, fields, _minutes(zone) if zone else None)


def text(value: Temporal) -> str:
    """The value as FHIR writes it."""
    widths = (2, 2, 2) if value.kind == "Time" else (4, 2, 2, 2, 2, 2)
    parts = [_padded(field, width) for field, width in zip(value.fields, widths, strict=False)]
    if value.kind == "Time":
        return ":".join(parts)
    date, time = "-".join(parts[:3]), ":".join(parts[3:])
    return f"{date}T{time}{_zone(value.zone)}" if time else date


def compared(left: Temporal, right: Temporal) -> int | None:
    """-1, 0 or 1; None when precision or zone leave it open, or when times stand beside dates.

    Spec: http://hl7.org/fhirpath/N1/#comparison"""
    if (left.kind == "Time") != (right.kind == "Time"):
        return None
    if len(left.fields) > 3 and len(right.fields) > 3 and left.zone != right.zone:
        if left.zone is None or right.zone is None:
            return _apart(left, right)
        left, right = _in_utc(left), _in_utc(right)
    for one, other in zip(left.fields, right.fields, strict=False):
        if one != other:
            return -1 if one < other else 1
    return 0 if len(left.fields) == len(right.fields) else None


def key(value: Temporal) -> Temporal:
    """A value that is equal for equal moments of the same precision."""
    moment = _in_utc(value) if value.zone and len(value.fields) > 3 else value
    return moment._replace(kind="Time" if value.kind == "Time" else "DateTime")


def plus(value: Temporal, amount: Quantity, sign: int = 1) -> Temporal | None:
    """The moment so much later (sign 1) or earlier (sign -1), in the same precision; None beyond the calendar.

    Spec: http://hl7.org/fhirpath/N1/#datetime-arithmetic"""
    unit = calendar_unit(amount.unit) or ""
    number = amount.value * sign
    if value.kind == "Time":
        return _time_plus(value, number * _SECONDS[unit])
    finest = UNITS[len(value.fields) - 1]
    if unit not in ("second", "millisecond"):
        number = Decimal(int(number))
    if unit == "year" or (finest == "year" and unit == "month"):
        return _months_plus(value, int(number) * 12 if unit == "year" else int(number / 12) * 12)
    if unit == "month":
        return _months_plus(value, int(number))
    if finest in ("year", "month"):
        months = int(number * _SECONDS[unit] / _SECONDS[finest]) * (12 if finest == "year" else 1)
        return _months_plus(value, months)
    return _seconds_plus(value, number * _SECONDS[unit], finest)


def can_add(unit: str) -> bool:
    """Whether a unit is one of the calendar or a definite time: `day`, `days`, `'s'`, `'ms'`."""
    return calendar_unit(unit) is not None


def _months_plus(value: Temporal, months: int) -> Temporal | None:
    year, month, *rest = value.fields if len(value.fields) > 1 else (*value.fields, 1)
    total = int(year) * 12 + int(month) - 1 + months
    fields = (total // 12, total % 12 + 1, *rest)[: len(value.fields)]
    if not 1 <= fields[0] <= 9999:
        return None
    while len(fields) > 2 and _moment(fields[:3]) is None:
        fields = (*fields[:2], int(fields[2]) - 1, *fields[3:])
    return value._replace(fields=fields)


def _seconds_plus(value: Temporal, seconds: Decimal, finest: str) -> Temporal | None:
    if finest != "second":
        step = _SECONDS[finest]
        seconds = Decimal(int(seconds / step) * step)
    moment = _moment(value.fields)
    if moment is None:
        return None
    try:
        later = moment + timedelta(microseconds=int(seconds * 1_000_000))
    except OverflowError:
        return None
    return value._replace(fields=_fields(later, value.fields, seconds))


def _time_plus(value: Temporal, seconds: Decimal) -> Temporal:
    day = (2000, 1, 1, *value.fields)
    moment = _moment(day)
    assert moment is not None
    later = moment + timedelta(microseconds=int(seconds % 86_400 * 1_000_000))
    return value._replace(fields=_fields(later, day, seconds)[3:])


def _fields(moment: datetime, before: tuple[int | Decimal, ...], added: Decimal) -> tuple[int | Decimal, ...]:
    """The fields of a moment, as precise as they were before; a fraction stays or comes with the fraction added."""
    whole = (moment.year, moment.month, moment.day, moment.hour, moment.minute)
    if len(before) < 6:
        return whole[: len(before)]
    second: int | Decimal = moment.second
    if isinstance(before[5], Decimal) or added % 1:
        second = moment.second + Decimal(moment.microsecond).scaleb(-6).quantize(Decimal("0.001"))
    return (*whole, second)


def _moment(fields: tuple[int | Decimal, ...]) -> datetime | None:
    numbers = (*fields, *_LEAST[len(fields) :])
    second = Decimal(numbers[5])
    try:
        moment = datetime(*(int(number) for number in numbers[:5]))  # type: ignore[arg-type]
        return moment + timedelta(microseconds=int(second * 1_000_000))
    except (ValueError, OverflowError):
        return None


def _in_utc(value: Temporal) -> Temporal:
    moment = _moment(value.fields)
    if moment is None or not value.zone:
        return value._replace(zone=0)
    try:
        moved = moment - timedelta(minutes=value.zone)
    except OverflowError:
        return value
    shifted = (moved.year, moved.month, moved.day, moved.hour, moved.minute)
    return Temporal(value.kind, (shifted + value.fields[5:])[: max(len(value.fields), 5)], 0)


def _apart(left: Temporal, right: Temporal) -> int | None:
    """The order of two moments of which one has no zone: known when they are far enough from each other."""
    one, other = _moment(_in_utc(left).fields), _moment(_in_utc(right).fields)
    if one is None or other is None:
        return None
    before, after = (_WEST, _EAST) if left.zone is None else (_EAST, _WEST)
    if one + before < other:
        return -1
    return 1 if one - after > other else None


def _minutes(zone: str) -> int:
    return 0 if zone == "Z" else int(zone[0] + "1") * (int(zone[1:3]) * 60 + int(zone[4:6]))


def _zone(minutes: int | None) -> str:
    if minutes is None:
        return ""
    return f"{'-' if minutes < 0 else '+'}{abs(minutes) // 60:02}:{abs(minutes) % 60:02}" if minutes else "Z"


def _padded(field: int | Decimal, width: int) -> str:
    whole, point, fraction = str(field).partition(".")
    return whole.zfill(width) + point + fraction

"""FHIR dates as intervals of time.

Enters: the text of a date, dateTime or instant, also as searches write it (minutes without seconds, no zone). Leaves:
half-open UTC intervals. A text without zone is taken as UTC.
"""

from __future__ import annotations

import re
from datetime import UTC, datetime, timedelta
from functools import lru_cache

from ecluse.core.errors import Unprocessable

EARLIEST = datetime.min.replace(tzinfo=UTC)
LATEST = datetime.max.replace(tzinfo=UTC)

_MOMENT = re.compile(
    r"[0-9]{4}-[0-9]{2}-[0-9]{2}T(?:[01][0-9]|2[0-3]):[0-5][0-9]"
    r"(:(?:[0-5][0-9]|60)(\.[0-9]+)?)?(Z|[+-](?:(?:0[0-9]|1[0-3]):[0-5][0-9]|14:00))?"
)
_DAY = re.compile(r"([0-9]{4})(?:-([0-9]{2})(?:-([0-9]{2}))?)?")
_MINUTE, _SECOND, _MICROSECOND = timedelta(minutes=1), timedelta(seconds=1), timedelta(microseconds=1)


@lru_cache(maxsize=16384)
def bounds(text: str) -> tuple[datetime, datetime]:
    """Half-open UTC interval [low, high) covered by a FHIR date.

    text: date, dateTime or instant of any precision, "2018-05"
    Returns: (low, high), aware UTC, clamped to the years 1 to 9999; a leap second is the second that follows :59
    Raises: Unprocessable (422) when not a FHIR date
    Spec: http://hl7.org/fhir/R4/search.html#date"""
    if len(text) <= len("YYYY-MM-DD"):
        return _days(text)
    found = _MOMENT.fullmatch(text)
    if found is None:
        raise _refused(text)
    second, fraction, zone = found.groups()
    leap = second is not None and second.startswith(":60")
    try:
        moment = datetime.fromisoformat(text.replace(":60", ":59", 1) if leap else text)
    except ValueError:
        raise _refused(text) from None
    width = _MINUTE if second is None else _SECOND if fraction is None else _width(fraction)
    return _interval(moment if zone else moment.replace(tzinfo=UTC), width, _SECOND if leap else None)


def _interval(moment: datetime, width: timedelta, shift: timedelta | None) -> tuple[datetime, datetime]:
    if moment.tzinfo is not UTC:
        try:
            moment = moment.astimezone(UTC)
        except OverflowError:
            return (EARLIEST, EARLIEST + width) if moment.year == 1 else (LATEST - width, LATEST)
    try:
        low = moment + shift if shift else moment
        return low, low + width
    except OverflowError:
        return moment, LATEST


def _width(fraction: str) -> timedelta:
    """The width of a second with a fraction, ".25"; a microsecond is the least."""
    return timedelta(microseconds=10 ** max(0, 7 - len(fraction)))


def _days(text: str) -> tuple[datetime, datetime]:
    """The interval of a year, month or day."""
    found = _DAY.fullmatch(text)
    if found is None:
        raise _refused(text)
    year, month, day = found.groups()
    try:
        low = datetime(int(year), int(month or 1), int(day or 1), tzinfo=UTC)
        return low, _next(low, month, day)
    except ValueError:
        raise _refused(text) from None


def _next(low: datetime, month: str | None, day: str | None) -> datetime:
    """Where the year, month or day that begins at low ends."""
    try:
        if day:
            return low + timedelta(days=1)
        return low.replace(month=low.month + 1) if month and month != "12" else low.replace(year=low.year + 1, month=1)
    except (OverflowError, ValueError):
        return LATEST


def _refused(text: str) -> Unprocessable:
    return Unprocessable(
        "This is not a FHIR date: write YYYY, YYYY-MM, YYYY-MM-DD or YYYY-MM-DDThh:mm:ss+zz:zz.",
        diagnostics=f'found "{text[:80]}"',
    )

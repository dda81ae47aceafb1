"""Dates moved by whole days, and what is left of a birth date.

Enters: date, dateTime or instant as text, and days. Leaves: the same precision, moved.

    day         moved
    month       its 15th is moved, and the month told; a year likewise from 2 July: no day is made up
    instant     told in UTC and moved, its time of day and digits as they were. An offset of +01:00 or +02:00 would tell
                summer from winter and, in a dense record, the very night on which clocks change, hence the shift

A date that stands for "unknown" or "for ever" (1900-01-01, 1970-01-01, 9999-12-31) would show by how much it was moved:
it stays here.
"""

from __future__ import annotations

from datetime import date, datetime, timedelta
from functools import lru_cache

from ecluse.core.errors import Unmappable

FIRST, LAST = date(1901, 1, 1), date(2199, 12, 30)
UNKNOWN = date(1970, 1, 1)
OLDEST = 90
"""Whoever is older counts as this old."""


@lru_cache(maxsize=8192)
def shifted(text: str, days: int) -> str | None:
    """The FHIR date moved by whole days, None when it is a sign for "unknown".

    Raises: Unmappable when the text is no date of the calendar
    """
    try:
        day = middle(text[:10])
        if not FIRST <= day <= LAST or day == UNKNOWN:
            return None
        if len(text) <= 10:
            return (day + timedelta(days)).isoformat()[: len(text)]
        return _shifted_instant(text, days)
    except ValueError as error:
        raise Unmappable("a date is not one of the calendar") from error


def middle(text: str) -> date:
    """The day, or the middle of the month or year, that a FHIR date names."""
    if len(text) == 4:
        return date(int(text), 7, 2)
    return date.fromisoformat(text if len(text) == 10 else f"{text}-15")


def last_day(text: str) -> str:
    """A day that is not before any day the FHIR date may mean, for comparisons as text."""
    if len(text) == 4:
        return f"{text}-12-31"
    return f"{text}-31" if len(text) == 7 else text[:10]


def _shifted_instant(text: str, days: int) -> str:
    minute = text[:16]
    rest = text[16:].rstrip("Z")
    sign = max(rest.rfind("+"), rest.rfind("-"))
    seconds, zone = (rest, "+00:00") if sign < 0 else (rest[:sign], rest[sign:])
    offset = timedelta(hours=int(zone[1:3]), minutes=int(zone[4:6])) * (-1 if zone[0] == "-" else 1)
    # Leap seconds are at known dates.
    seconds = seconds.replace(":60", ":59")
    moved = datetime.fromisoformat(minute) - offset + timedelta(days)
    return f"{moved.isoformat(timespec='minutes')}{seconds}Z"


def birth(text: str, days: int, at: date, precision: str) -> str | None:
    """Year, or year and month, of a birth date that was moved as all other dates of the person, so that ages stay.

    at: day on which the age is counted; beyond OLDEST years only the year that OLDEST gives is told
    """
    moved = shifted(text[:10], days)
    if moved is None:
        return None
    oldest = at.year - OLDEST
    if int(moved[:4]) <= oldest:
        return str(oldest)
    return moved[:7] if precision == "month" else moved[:4]

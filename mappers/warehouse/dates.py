"""FHIR dates as OMOP dates: a day, and a moment where the day is known.

Enters: date, dateTime or instant of any precision. Leaves: a date and a datetime without zone, both in UTC (f2o-072).
A day alone begins at midnight; a year or a month alone gives its first day as a start and its last day as an end, and
no datetime, which is how an imputed day is told from a known one.
"""

from __future__ import annotations

from calendar import monthrange
from datetime import UTC, date, datetime, timedelta
from functools import lru_cache
from typing import Any, NamedTuple

REMEMBERED = 4096


class Moment(NamedTuple):
    """A day, and the time of it; no time when the day itself was imputed."""

    day: date
    time: datetime | None


class Interval(NamedTuple):
    """A start and, where told, an end."""

    start: Moment
    end: Moment | None


def moment(text: str | None, *, last: bool = False) -> Moment | None:
    """The moment of a FHIR date, None when there is none; last: an imputed day is the last of its month or year, not
    the first.
    """
    return _moment(text, last) if text else None


@lru_cache(REMEMBERED)
def _moment(text: str, last: bool) -> Moment | None:
    """Remembered: all that is observed in one visit tells the same moment."""
    try:
        if len(text) < 10:
            return Moment(_imputed(text, last), None)
        if len(text) == 10:
            day = date.fromisoformat(text)
            return Moment(day, datetime(day.year, day.month, day.day))
        instant = datetime.fromisoformat(text.replace(":60", ":59"))
        if instant.tzinfo is not None:
            instant = instant.astimezone(UTC).replace(tzinfo=None)
        return Moment(instant.date(), instant)
    except (ValueError, OverflowError):
        return None


def _imputed(text: str, last: bool) -> date:
    year, _, rest = text.partition("-")
    month = int(rest) if rest else 12 if last else 1
    return date(int(year), month, monthrange(int(year), month)[1] if last else 1)


def period(element: dict[str, Any] | None) -> Interval | None:
    """The interval of a Period; one that only tells its end starts and ends there."""
    if not element:
        return None
    start, end = moment(element.get("start")), moment(element.get("end"), last=True)
    first = start or end
    return Interval(first, end) if first else None


def interval(resource: dict[str, Any], element: str) -> Interval | None:
    """The interval of a choice element: `effective` reads effectiveDateTime, -Instant, -Period and -Timing."""
    start = moment(resource.get(element + "DateTime") or resource.get(element + "Instant"))
    if start:
        return Interval(start, None)
    timing = resource.get(element + "Timing") or {}
    bounds = (timing.get("repeat") or {}).get("boundsPeriod")
    return period(resource.get(element + "Period")) or _first(timing.get("event")) or period(bounds)


def _first(events: list[str | None] | None) -> Interval | None:
    moments = sorted(found for found in map(moment, events or ()) if found)
    return Interval(moments[0], moments[-1]) if moments else None


def point(text: str | None) -> Interval | None:
    """The interval that begins with a FHIR date and tells no end."""
    start = moment(text)
    return Interval(start, None) if start else None


def supplied(start: Moment, days: int | None) -> Moment | None:
    """The last of so many days of supply, None when none is told or when it is beyond the calendar."""
    if not days:
        return None
    try:
        return Moment(start.day + timedelta(days=days - 1), None)
    except OverflowError:
        return None


def columns(stem: str, found: Interval, *, ended: bool = False) -> dict[str, Any]:
    """`<stem>_start_date`, `_start_datetime`, `_end_date`, `_end_datetime`; ended: a missing end is the start."""
    end = found.end or (found.start if ended else None)
    return {
        f"{stem}_start_date": found.start.day,
        f"{stem}_start_datetime": found.start.time,
        f"{stem}_end_date": end.day if end else None,
        f"{stem}_end_datetime": end.time if end else None,
    }

"""Days and hours as a French hospital writes them.

Enters: dates and naive local times. Leaves: FHIR date, dateTime and instant texts with the offset of Paris, and
French wording. The rule of summer time is written out, so that no time zone database of the machine is read.
Spec: http://hl7.org/fhir/R4/datatypes.html#dateTime
"""

from __future__ import annotations

from datetime import date, datetime, time, timedelta
from functools import cache

MONTHS = (
    "janvier", "février", "mars", "avril", "mai", "juin",
    "juillet", "août", "septembre", "octobre", "novembre", "décembre",
)  # fmt: skip


@cache
def _turns(year: int) -> tuple[datetime, datetime]:
    """Local times when summer time starts and ends: the last Sundays of March and October."""
    march, october = date(year, 3, 31), date(year, 10, 31)
    start = march - timedelta(days=(march.weekday() + 1) % 7)
    end = october - timedelta(days=(october.weekday() + 1) % 7)
    return datetime.combine(start, time(2)), datetime.combine(end, time(3))


def date_time(moment: datetime) -> str:
    """FHIR dateTime or instant, to the second: 2024-05-12T08:30:00+02:00."""
    start, end = _turns(moment.year)
    return moment.strftime("%Y-%m-%dT%H:%M:%S") + ("+02:00" if start <= moment < end else "+01:00")


def short(day: date) -> str:
    """12/05/2024."""
    return day.strftime("%d/%m/%Y")


def long(day: date) -> str:
    """12 mai 2024."""
    return f"{'1er' if day.day == 1 else day.day} {MONTHS[day.month - 1]} {day.year}"


def years(birth: date, day: date) -> int:
    """Age in full years."""
    return day.year - birth.year - ((day.month, day.day) < (birth.month, birth.day))


def at(day: date, hour: float) -> datetime:
    """Local time of a day at an hour such as 8.5."""
    return datetime.combine(day, time()) + timedelta(minutes=round(hour * 60))

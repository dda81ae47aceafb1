"""Date parameters: intervals of time.

Enters: a value of a resource, or the text of a query. Leaves: rows, or the same half-open UTC interval to compare with.
A period without start or end reaches to the first or last instant that there is; of a timing only its outer limits
count. An instant has no width: it is as long as the shortest time that the database tells apart.
Spec: http://hl7.org/fhir/R4/search.html#date
"""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Any

from ecluse.core.errors import Unprocessable
from ecluse.core.fhir.dates import EARLIEST, LATEST, bounds
from mappers.search.question import Moment, Question, Value, refused
from mappers.search.rows import IndexRows, Reader, Visit

PREFIXES = ("eq", "ne", "gt", "lt", "ge", "le", "sa", "eb", "ap")
_ADVICE = f"write a date like 2018-05 or 2018-05-03T10:00Z, alone or after one of {', '.join(PREFIXES)}."

SHORTEST = timedelta(microseconds=1)

normalise = bounds
"""The interval that a date covers."""


def _date(path: int) -> Visit:
    def visit(value: str, rows: IndexRows) -> None:
        rows[3].append((path, 0, *normalise(value)))

    return visit


def _instant(path: int) -> Visit:
    def visit(value: str, rows: IndexRows) -> None:
        low = normalise(value)[0]
        rows[3].append((path, 0, low, min(low, LATEST - SHORTEST) + SHORTEST))

    return visit


def _period(path: int) -> Visit:
    def visit(value: dict[str, Any], rows: IndexRows) -> None:
        start, end = value.get("start"), value.get("end")
        if start is not None or end is not None:
            rows[3].append((path, 0, *_covered(start, end)))

    return visit


def _covered(start: str | None, end: str | None) -> tuple[datetime, datetime]:
    return normalise(start)[0] if start else EARLIEST, normalise(end)[1] if end else LATEST


def _timing(path: int) -> Visit:
    def visit(value: dict[str, Any], rows: IndexRows) -> None:
        found = [normalise(event) for event in value.get("event", ()) if event is not None]
        limits = value.get("repeat", {}).get("boundsPeriod", {})
        start, end = limits.get("start"), limits.get("end")
        if start is not None or end is not None:
            found.append(_covered(start, end))
        if found:
            rows[3].append((path, 0, min(low for low, _ in found), max(high for _, high in found)))

    return visit


READERS: dict[str, Reader] = {
    "date": _date,
    "dateTime": _date,
    "instant": _instant,
    "Period": _period,
    "Timing": _timing,
}


def asked(text: str, question: Question) -> list[Value]:
    """The interval that is looked for, and how to compare with it; without prefix, `eq`.

    `ap` widens the interval by a tenth of its distance from now.
    Raises: BadRequest (400) when it is no date"""
    prefix = text[:2] if text[:2] in PREFIXES else ""
    written = text.removeprefix(prefix).replace(" ", "+")
    try:
        low, high = normalise(written)
    except Unprocessable:
        raise refused(question, text, _ADVICE) from None
    if prefix == "ap":
        low, high = _widened(low, high, question.now)
    return [Moment(prefix or "eq", low, high)]


def asked_overlapping(text: str, question: Question) -> list[Value]:
    """The interval that values are looked for that have an instant in common with it.

    Raises: BadRequest (400) when it is no date"""
    (moment,) = asked(text, question)
    assert isinstance(moment, Moment)
    return [moment._replace(prefix="ap")]


def _widened(low: datetime, high: datetime, now: datetime) -> tuple[datetime, datetime]:
    margin = max(low - now, now - high, timedelta(0)) / 10
    return low - min(margin, low - EARLIEST), high + min(margin, LATEST - high)

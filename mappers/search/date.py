"""Date parameters: intervals of time.

Enters: a value of a resource, or the text of a query. Leaves: rows, or the same half-open UTC interval to compare with.
A period without start or end reaches to the first or last instant that there is; of a timing only its outer limits
count.
Spec: http://hl7.org/fhir/R4/search.html#date
"""

from __future__ import annotations

from typing import Any

from ecluse.core.fhir.dates import EARLIEST, LATEST, bounds
from mappers.search.rows import IndexRows, Reader, Visit

normalise = bounds
"""The interval that a date covers."""


def _date(path: int) -> Visit:
    def visit(value: str, rows: IndexRows) -> None:
        rows[3].append((path, *normalise(value)))

    return visit


def _period(path: int) -> Visit:
    def visit(value: dict[str, Any], rows: IndexRows) -> None:
        start, end = value.get("start"), value.get("end")
        if start is not None or end is not None:
            rows[3].append((path, normalise(start)[0] if start else EARLIEST, normalise(end)[1] if end else LATEST))

    return visit


def _timing(path: int) -> Visit:
    def visit(value: dict[str, Any], rows: IndexRows) -> None:
        found = [normalise(event) for event in value.get("event", ()) if event is not None]
        inner = IndexRows([], [], [], [])
        _period(path)(value.get("repeat", {}).get("boundsPeriod", {}), inner)
        found += [(low, high) for _, low, high in inner.dates]
        if found:
            rows[3].append((path, min(low for low, _ in found), max(high for _, high in found)))

    return visit


READERS: dict[str, Reader] = {"date": _date, "dateTime": _date, "instant": _date, "Period": _period, "Timing": _timing}

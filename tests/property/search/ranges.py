"""Dates as ranges, and what each prefix says of two ranges.

Enters: the text of a query and a value of a resource. Leaves: whether they match. A range is half-open, [low, high);
ends that are not known are infinite.
Spec: http://hl7.org/fhir/R4/search.html#prefix, http://hl7.org/fhir/R4/search.html#date
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from typing import Any, NamedTuple

from tests.property.search.definitions import Value

PREFIXES = ("eq", "ne", "gt", "lt", "ge", "le", "sa", "eb", "ap")
EPOCH = datetime(1, 1, 1, tzinfo=UTC)
MICROSECOND = timedelta(microseconds=1)
_DATE = re.compile(
    r"(\d{4})(?:-(\d\d)(?:-(\d\d)(?:T(\d\d):(\d\d)(?::(\d\d)(?:\.(\d+))?)?(Z|[+-]\d\d:\d\d)?)?)?)?", re.ASCII
)


class Range(NamedTuple):
    """From low on, up to but not including high."""

    low: Any
    high: Any


ENDLESS = Range(-(10**60), 10**60)


def contains(outer: Range, inner: Range) -> bool:
    """Whether all of the inner range is in the outer one."""
    return bool(outer.low <= inner.low and inner.high <= outer.high)


def overlaps(one: Range, other: Range) -> bool:
    """Whether some of one range is in the other."""
    return bool(max(one.low, other.low) < min(one.high, other.high))


def above(asked: Range) -> Range:
    return Range(asked.high, ENDLESS.high)


def below(asked: Range) -> Range:
    return Range(ENDLESS.low, asked.low)


MEANING: dict[str, Callable[[Range, Range], bool]] = {
    "eq": contains,
    "ne": lambda asked, target: not contains(asked, target),
    "gt": lambda asked, target: overlaps(above(asked), target),
    "lt": lambda asked, target: overlaps(below(asked), target),
    "ge": lambda asked, target: overlaps(above(asked), target) or contains(asked, target),
    "le": lambda asked, target: overlaps(below(asked), target) or contains(asked, target),
    "sa": lambda asked, target: not overlaps(asked, target) and contains(above(asked), target),
    "eb": lambda asked, target: not overlaps(asked, target) and contains(below(asked), target),
    "ap": overlaps,
}
"""The table of the specification, in its words: the range of the search value against that of the target."""


def split_prefix(text: str) -> tuple[str, str]:
    """The prefix, `eq` when there is none, and the rest."""
    return (text[:2], text[2:]) if text[:2] in PREFIXES else ("eq", text)


def of_date(text: str) -> Range:
    """The microseconds, counted from the year 1, that a date of any precision covers; without zone it is UTC."""
    found = _DATE.fullmatch(text)
    assert found, text
    year, month, day, hour, minute, second, fraction, zone = found.groups()
    start = datetime(int(year), int(month or 1), int(day or 1), int(hour or 0), int(minute or 0), int(second or 0))
    low = (start.replace(tzinfo=UTC) - EPOCH) // MICROSECOND - _offset(zone) + int((fraction or "").ljust(6, "0")[:6])
    if hour:
        return Range(low, low + (60_000_000 if not second else max(1, 10 ** (6 - len(fraction or "")))))
    if day:
        return Range(low, low + 86_400_000_000)
    following = (int(year), int(month) + 1) if month and month != "12" else (int(year) + 1, 1)
    days = (datetime(*following, 1, tzinfo=UTC) - EPOCH).days if following[0] < 10_000 else 3_652_059
    return Range(low, days * 86_400_000_000)


def _offset(zone: str | None) -> int:
    if not zone or zone == "Z":
        return 0
    minutes = int(zone[1:3]) * 60 + int(zone[4:6])
    return (minutes if zone[0] == "+" else -minutes) * 60_000_000


def dates(value: Value) -> Iterator[Range]:
    """The range of a date, instant, period or timing, if it has any. An instant has no width; of a timing only the
    outer limits count."""
    data = value.data
    match value.type:
        case "instant":
            low = of_date(data).low
            yield Range(low, low + 1)
        case "Period":
            yield from _period(data)
        case "Timing":
            found = [of_date(event) for event in data.get("event", ())]
            found += _period(data.get("repeat", {}).get("boundsPeriod", {}))
            if found:
                yield Range(min(one.low for one in found), max(one.high for one in found))
        case "date" | "dateTime":
            yield of_date(data)


def _period(data: dict[str, Any]) -> Iterator[Range]:
    if "start" in data or "end" in data:
        start = of_date(data["start"]).low if "start" in data else ENDLESS.low
        yield Range(start, of_date(data["end"]).high if "end" in data else ENDLESS.high)


def date_matches(value: Value, asked: str, now: datetime) -> bool:
    """Whether a date parameter matches."""
    prefix, text = split_prefix(asked)
    search = of_date(text)
    if prefix == "ap":
        present = (now - EPOCH) // MICROSECOND
        margin = max(search.low - present, present - search.high, 0) // 10
        search = Range(search.low - margin, search.high + margin)
    return any(MEANING[prefix](search, target) for target in dates(value))

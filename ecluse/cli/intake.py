"""`ecluse intake`: what arrived, what was refused, and why; the same as JSON under /intake.json, /intake/counts.json.

Enters: filters as words. Leaves: rows of the intake, the newest first.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime, timedelta
from typing import Any

from ecluse.cli.terminal import terminal
from ecluse.core import clock
from ecluse.core.db.databases import open_databases
from ecluse.core.db.pool import Connection, translated
from ecluse.core.errors import BadRequest, Gathering, NotFound
from ecluse.core.fhir import json
from ecluse.core.settings import Settings
from fhir_server.http.listing import number
from fhir_server.store import intake
from fhir_server.store.intake import WHOLE, Arrival, Cursor, Wanted
from fhir_server.store.resources import check_site

FILTERS = ("site", "sender", "reason", "since", "status", "request-id", "parts", "count", "after")
TALLIED = ("site", "sender", "reason", "since", "status", "count")
SINCE, SINCE_OF_ONE = "24h", "30d"
MOST, COUNT = 1000, 50
COUNTS = ("created", "updated", "deleted", "refused")
_UNITS = {"m": "minutes", "h": "hours", "d": "days"}
_AGO = re.compile(r"(\d{1,5})([mhd])")
_CURSOR = re.compile(r"(\d{1,18})\.(\d{1,10})\.(\d{1,18})")
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_MICROSECOND = timedelta(microseconds=1)
_STATUS = re.compile(r"([1-5])xx|([1-5]\d\d)")


def wanted(given: Mapping[str, str | None], filters: Sequence[str] = FILTERS) -> Wanted:
    """Which rows these filters mean.

    Raises: BadRequest (400) with all filters that there are not, and all values that cannot be read
    """
    wrong = Gathering()
    wrong.read(_check_names, given, filters)
    request_id = given.get("request-id")
    asked = Wanted(
        since=wrong.read(_since, given.get("since") or (SINCE_OF_ONE if request_id else SINCE)),
        after=wrong.read(_after, given.get("after")),
        site=given.get("site"),
        sender=given.get("sender"),
        reason=given.get("reason"),
        request_id=request_id,
        status=wrong.read(_status, given.get("status")),
        parts=given.get("parts") == "true" or request_id is not None,
        most=wrong.read(_count, given.get("count")),
    )
    wrong.check()
    return asked


async def _known(conn: Connection, given: Mapping[str, str | None], filters: Sequence[str] = FILTERS) -> Wanted:
    """The same, of a site that there is.

    Raises: what `wanted` raises, NotFound (404) for another site"""
    wrong = Gathering()
    asked = wrong.read(wanted, given, filters)
    await wrong.found(check_site(conn, given.get("site")))
    wrong.check()
    return asked


def _check_names(given: Mapping[str, str | None], filters: Sequence[str]) -> None:
    if unknown := given.keys() - set(filters):
        raise BadRequest(f"The intake is filtered by {', '.join(filters)}; not by {', '.join(sorted(unknown))}.")


def _since(text: str) -> datetime:
    ago = _AGO.fullmatch(text)
    try:
        if ago:
            return clock.now() - timedelta(**{_UNITS[ago[2]]: int(ago[1])})
        moment = datetime.fromisoformat(text)
        return moment if moment.tzinfo else moment.replace(tzinfo=UTC)
    except (ValueError, OverflowError):
        text = "Write since as 30m, 24h, 7d, or as a date and time like 2026-11-24T10:00+01:00."
        raise BadRequest(text, expression="since") from None


def _status(text: str | None) -> tuple[int, int]:
    found = _STATUS.fullmatch(text or "")
    if text and not found:
        raise BadRequest("Write status as 412 or 4xx.", expression="status")
    if not found:
        return 0, 999
    return (int(found[1]) * 100, int(found[1]) * 100 + 99) if found[1] else (int(found[2]), int(found[2]))


def _count(text: str | None) -> int:
    if text is None:
        return COUNT
    if (found := number(text, MOST)) is None:
        raise BadRequest(f"Write count as a number from 1 to {MOST}.", expression="count")
    return found


def _after(text: str | None) -> Cursor:
    if not text:
        return Cursor(clock.now() + timedelta(minutes=1))
    found = _CURSOR.fullmatch(text)
    try:
        if found and int(found[2]) <= WHOLE:
            return Cursor(_EPOCH + int(found[1]) * _MICROSECOND, int(found[2]), int(found[3]))
    except OverflowError:
        pass
    raise BadRequest("after is the `cursor` of the last row before.", expression="after")


def _cursor(row: Arrival) -> str:
    return f"{(row.received_at - _EPOCH) // _MICROSECOND}.{WHOLE if row.part is None else row.part}.{row.write_id}"


async def listed(conn: Connection, given: Mapping[str, str | None]) -> list[dict[str, Any]]:
    """The rows as JSON tells them.

    Raises: BadRequest (400) when a filter cannot be read, NotFound (404) for a site that there is not
    """
    return [_told(row) for row in await intake.arrivals(conn, await _known(conn, given))]


async def counted(conn: Connection, given: Mapping[str, str | None]) -> list[dict[str, Any]]:
    """How many requests each sender sent, by answer and reason.

    Raises: BadRequest (400) when a filter cannot be read, NotFound (404) for a site that there is not
    """
    asked = await _known(conn, {"count": str(MOST), **given}, TALLIED)
    return [row._asdict() for row in await intake.tallies(conn, asked)]


def _told(row: Arrival) -> dict[str, Any]:
    told = {**row._asdict(), "received_at": clock.instant_text(row.received_at), "cursor": _cursor(row)}
    del told["write_id"]
    told["issues"] = json.decode(row.issues.encode()) if row.issues else []
    return told


async def show_list(settings: Settings, given: Mapping[str, str | None], *, as_json: bool) -> None:
    """A line for each request that arrived, or JSON."""
    rows = await _rows(settings, given)
    if as_json:
        print(json.encode(rows).decode())
        return
    console = terminal(soft_wrap=True)
    for row in rows:
        console.print(_line(row), markup=False, highlight=False)
    console.print(f"{len(rows)} requests")


async def show_one(settings: Settings, request_id: str, since: str | None, *, as_json: bool) -> None:
    """Everything about one request: its rows, and each issue with its place.

    Raises: NotFound when no row has this request id
    """
    rows = await _rows(settings, {"request-id": request_id, "since": since})
    if not rows:
        raise NotFound(
            f"No request {request_id} in the intake since {since or SINCE_OF_ONE}; look further with --since."
        )
    if as_json:
        print(json.encode(rows).decode())
        return
    console = terminal(soft_wrap=True)
    for row in reversed(rows):
        console.print(_line(row), markup=False, highlight=False)
        for issue in row["issues"]:
            console.print(f"    {issue['severity']} {issue['code']} {issue['expression']}", markup=False)
            console.print(f"        {issue['text']}", markup=False)


async def _rows(settings: Settings, given: Mapping[str, str | None]) -> list[dict[str, Any]]:
    async with open_databases(settings, migrate=True) as databases:
        with translated():
            async with databases.store.acquire() as conn:
                return await listed(conn, {name: value for name, value in given.items() if value is not None})


def _line(row: Mapping[str, Any]) -> str:
    """`2026-11-24T10:03:21.000Z  400 structure  POST Patient  default lab  1 refused  1 entry, 812 bytes, 2 ms  …`."""
    part = "" if row["part"] is None else f" as entry {row['part']} of a batch"
    size = (
        f"{row['entries']} {'entry' if row['entries'] == 1 else 'entries'}, {row['bytes']:,} bytes, {row['took_ms']} ms"
    )
    told = (
        row["received_at"],
        f"{row['status'] or ''} {row['reason']}".strip(),
        f"{row['method']} {row['target']}{part}".strip(),
        f"{row['site'] or ''} {row['sender']}".strip(),
        ", ".join(f"{row[name]} {name}" for name in COUNTS if row[name]),
        size,
        row["request_id"],
    )
    return "  ".join(cell for cell in told if cell)

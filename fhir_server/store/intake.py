"""What arrived, what was refused, and why: a row for each request that wanted to write, never its content.

Enters: contexts and what was written, or notes of requests that wrote nothing. Leaves: rows of `fhir.write`. A write's
row is made by the statement that stores its versions, so that it stands or falls with them.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict, dataclass
from datetime import datetime, timedelta
from typing import Any, NamedTuple

from ecluse.core import clock
from ecluse.core.db import queries
from ecluse.core.db.pool import Connection
from ecluse.core.fhir import json
from fhir_server.store.keys import Keys
from fhir_server.store.written import Context, Written

SQL = queries.load(__package__, "intake.sql")
REPEATED = "repeated"
UNCHANGED = "unchanged"
KEPT = "kept"
LARGEST = 2**31 - 1


@dataclass(slots=True)
class Note:
    """One request that wrote nothing itself, or the sums of a batch; names are those of the columns.

    part: the entry of a batch; reason: issue code of the first refusal, "repeated", "unchanged"
    or "kept"; issues: what may be
    kept of an OperationOutcome (fhir_server/intake/issues.py)"""

    received_at: datetime
    site: int | None
    sender: str
    request_id: str
    method: str
    target: str
    status: int
    bytes: int = 0
    took_ms: int = 0
    entries: int = 1
    created: int = 0
    updated: int = 0
    deleted: int = 0
    refused: int = 0
    part: int | None = None
    lane: int = 0
    source_format: str = ""
    traceparent: str = ""
    reason: str = ""
    issues: list[dict[str, Any]] | None = None


class Arrival(NamedTuple):
    """One row, as it is shown. issues: JSON text"""

    received_at: datetime
    site: str | None
    sender: str
    request_id: str
    method: str
    target: str
    status: int
    reason: str
    entries: int
    created: int
    updated: int
    deleted: int
    refused: int
    part: int | None
    bytes: int
    took_ms: int
    issues: str | None
    write_id: int


class Tally(NamedTuple):
    """How many requests of a sender were answered so, and what they did."""

    site: str | None
    sender: str
    status: int
    reason: str
    requests: int
    entries: int
    created: int
    updated: int
    deleted: int
    refused: int


WHOLE = 2**31 - 1
"""Stands for the entry of a request that is none: it comes before its entries, the newest first."""


class Cursor(NamedTuple):
    """The place of a row in the order of the list. part: WHOLE, or the entry of a batch"""

    received_at: datetime
    part: int = -1
    write_id: int = 0


class Wanted(NamedTuple):
    """Which rows somebody wants to see; after: the row before the first one; status: lowest and highest; parts: entries
    of batches too."""

    since: datetime
    after: Cursor
    site: str | None = None
    sender: str | None = None
    reason: str | None = None
    request_id: str | None = None
    status: tuple[int, int] = (0, 999)
    parts: bool = False
    most: int = 100


def took_ms(received_at: datetime) -> int:
    """How long ago that was; a clock that is set anew in between must not fail a write."""
    return max(0, min((clock.now() - received_at) // timedelta(milliseconds=1), LARGEST))


def effect(context: Context, written: Sequence[Written]) -> tuple[str | int | None, ...]:
    """The columns of a write's row that say what it did: method, target, status, bytes, milliseconds, created, updated,
    deleted, entry of a batch."""
    deleted = sum(one.body is None for one in written)
    created = sum(one.created for one in written)
    alone = len(written) == 1 and context.target != "Bundle"
    status = 200 if not alone else 204 if deleted else 201 if created else 200
    sizes = (min(context.body_bytes, LARGEST), took_ms(context.received_at))
    return (
        context.method,
        context.target,
        status,
        *sizes,
        created,
        len(written) - created - deleted,
        deleted,
        context.part,
    )


def nothing_of(written: Sequence[Written]) -> str:
    """Why a request wrote nothing: all stands already, or some of it came live and was to be left."""
    return KEPT if any(one.kept for one in written) else UNCHANGED


def note_of(context: Context, status: int, reason: str) -> Note:
    """The note of a request that was done and wrote nothing."""
    return Note(
        context.received_at,
        context.site,
        context.sender,
        context.request_id,
        context.method,
        context.target,
        status,
        min(context.body_bytes, LARGEST),
        took_ms(context.received_at),
        part=context.part,
        lane=context.lane,
        source_format=context.source_format,
        traceparent=context.traceparent,
        reason=reason,
    )


async def note(conn: Connection, keys: Keys, notes: Sequence[Note]) -> None:
    """Stores notes, all at once."""
    numbers = await keys.take(conn, len(notes))
    rows = [{"write_id": number, **asdict(one)} for number, one in zip(numbers, notes, strict=True)]
    await conn.execute(SQL["note"], json.encode(rows).decode())


async def arrivals(conn: Connection, wanted: Wanted) -> list[Arrival]:
    """Rows, the newest first."""
    rows = await conn.fetch(SQL["list"], *_filters(wanted), *wanted.after, wanted.parts, wanted.most)
    return [Arrival(*row) for row in rows]


async def tallies(conn: Connection, wanted: Wanted) -> list[Tally]:
    """Requests by site, sender and answer, the most frequent first; those of entries of batches are not counted."""
    return [Tally(*row) for row in await conn.fetch(SQL["tallies"], *_filters(wanted), wanted.most)]


def _filters(wanted: Wanted) -> tuple[Any, ...]:
    return (wanted.since, wanted.site, wanted.sender, wanted.reason, wanted.request_id, *wanted.status)


async def stands(conn: Connection, context: Context) -> bool:
    """Whether the write of this request was committed."""
    found: bool = await conn.fetchval(SQL["stands"], context.received_at, context.request_id, context.part)
    return found

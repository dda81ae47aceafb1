"""batch: a row of requests that know nothing of each other.

Enters: the entries of a Bundle. Leaves: one answer an entry, in their order. Each entry is a transaction of its own.
The specification promises no order; here a read sees the writes that stand before it, and entries with the same address
keep their order. All others run side by side, a bounded number at a time, since one batch must not take every
connection.
Spec: http://hl7.org/fhir/R4/http.html#brules
"""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import Iterator, Sequence
from itertools import groupby
from typing import Any

from ecluse.bus.position import Position, latest
from ecluse.core.errors import EcluseError
from ecluse.core.fhir.bundle import BundleEntry
from ecluse.core.log import Log
from fhir_server.bundles.entry import READS, placed, request_of, response, told
from fhir_server.http.failures import failure, place
from fhir_server.http.request import Answer, Request
from fhir_server.http.routes import dispatch
from fhir_server.intake.issues import MOST_ISSUES, kept
from fhir_server.server import Server
from fhir_server.store import intake

log = Log("server")
Numbered = tuple[int, BundleEntry]


async def batch(server: Server, request: Request, entries: Sequence[BundleEntry]) -> Answer:
    """200 with the answers of all entries, in their order."""
    running = Batch(server, request, len(entries))
    for _, kind in groupby(enumerate(entries), key=lambda numbered: numbered[1].method in READS):
        rows = iter(_rows(kind))
        async with asyncio.TaskGroup() as group:
            for _ in range(max(1, server.settings.pool_size // 2)):
                group.create_task(running.work(rows))
    if any(entry.method not in READS for entry in entries):
        try:
            await running.note()
        except EcluseError as error:  # what the entries wrote stands, and so do their answers
            log.error("the intake lacks a batch", error=place(error), request_id=request.request_id)
    return Answer(200, response("batch", running.answers), event=running.event)


def _rows(entries: Iterator[Numbered]) -> list[list[Numbered]]:
    """Entries that keep their order among themselves: those of one address, or of one condition."""
    rows: dict[object, list[Numbered]] = {}
    for index, entry in entries:
        create = entry.method == "POST" and not entry.if_none_exist
        rows.setdefault(index if create else (entry.url, entry.if_none_exist), []).append((index, entry))
    return list(rows.values())


class Batch:
    """A batch while it runs."""

    def __init__(self, server: Server, request: Request, entries: int) -> None:
        self.answers: list[dict[str, Any]] = [{}] * entries
        self.event: Position | None = None
        self._server = server
        self._request = request
        self._refused: dict[int, EcluseError] = {}

    async def work(self, rows: Iterator[list[Numbered]]) -> None:
        """Takes rows, as others do, until there are none."""
        for row in rows:
            for index, entry in row:
                self.answers[index] = await self._alone(entry, index)

    async def _alone(self, entry: BundleEntry, index: int) -> dict[str, Any]:
        """The answer of one entry, whatever became of it."""
        own = self._request._replace(method=entry.method)
        try:
            own = request_of(self._request, entry, index)._replace(part=index)
            answer = await dispatch(self._server, own)
            self.event = latest((self.event, answer.event))
        except Exception as error:
            answer = failure(placed(error, index), self._request.request_id)
            self._refused[index] = error if isinstance(error, EcluseError) else EcluseError()
        return told(own, answer)

    async def note(self) -> None:
        """The batch as one row of the intake: what became of its entries, and why some were refused."""
        statuses = Counter(answer["response"]["status"][:3] for answer in self.answers)
        note = intake.note_of(self._request.context, 200, "")
        note.entries, note.refused = len(self.answers), len(self._refused)
        note.created, note.deleted = statuses["201"], statuses["204"]
        if self._refused:
            errors = [self._refused[index] for index in sorted(self._refused)]
            note.reason = errors[0].issues[0].code or errors[0].code
            note.issues = [issue for error in errors for issue in kept(error.issues, error.code)][:MOST_ISSUES]
        async with self._server.connection() as conn:
            await intake.note(conn, self._server.keys, [note])

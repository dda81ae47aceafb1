"""batch: a row of requests that know nothing of each other.

Enters: the entries of a Bundle. Leaves: one answer an entry, in their order. Each entry is a transaction of its own.
The specification promises no order; here a read sees the writes that stand before it, and entries with the same address
keep their order. All others run side by side, a bounded number at a time, since one batch must not take every
connection.
Spec: http://hl7.org/fhir/R4/http.html#brules
"""

from __future__ import annotations

import asyncio
from collections.abc import Iterator, Sequence
from itertools import groupby
from typing import Any

from ecluse.core.fhir.bundle import BundleEntry
from fhir_server.bundles.entry import READS, placed, request_of, told
from fhir_server.http.failures import failure
from fhir_server.http.request import Request
from fhir_server.http.routes import dispatch
from fhir_server.server import Server

Numbered = tuple[int, BundleEntry]


async def batch(server: Server, request: Request, entries: Sequence[BundleEntry]) -> list[dict[str, Any]]:
    """The answers, in the order of the entries."""
    answers: list[dict[str, Any]] = [{}] * len(entries)
    at_once = max(1, server.settings.pool_size // 2)
    for _, kind in groupby(enumerate(entries), key=lambda numbered: numbered[1].method in READS):
        rows = iter(_rows(kind))
        async with asyncio.TaskGroup() as group:
            for _ in range(at_once):
                group.create_task(_work(server, request, rows, answers))
    return answers


def _rows(entries: Iterator[Numbered]) -> list[list[Numbered]]:
    """Entries that keep their order among themselves: those of one address, or of one condition."""
    rows: dict[object, list[Numbered]] = {}
    for index, entry in entries:
        create = entry.method == "POST" and not entry.if_none_exist
        rows.setdefault(index if create else (entry.url, entry.if_none_exist), []).append((index, entry))
    return list(rows.values())


async def _work(
    server: Server, request: Request, rows: Iterator[list[Numbered]], answers: list[dict[str, Any]]
) -> None:
    for row in rows:
        for index, entry in row:
            answers[index] = await _alone(server, request, entry, index)


async def _alone(server: Server, request: Request, entry: BundleEntry, index: int) -> dict[str, Any]:
    """The answer of one entry, whatever became of it."""
    own = request._replace(method=entry.method)
    try:
        own = request_of(request, entry, index)
        answer = await dispatch(server, own)
    except Exception as error:
        answer = failure(placed(error, index), request.request_id)
    return told(own, answer)

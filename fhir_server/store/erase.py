"""Erasure: a resource goes with all its versions, and only a skeleton (site, type, id, version) stays.

Enters: a connection in the caller's transaction, addresses of resources, and the context of the request. Leaves: no
body, no search row and no kept answer that holds them; a version that says `erased`; an event for each, which takes the
resource out of every sink. Binaries that the erased ones had as attachments go with them.

    1 lock     the skeletons, in (type, id) order
    2 judge    whose each one is, when the erasure is one of a patient
    3 erase    search rows, then versions; the event follows from the same statement
    4 answers  that were kept for requests sent again: none may bring back what was erased
"""

from __future__ import annotations

import re
from collections.abc import Collection, Sequence
from datetime import datetime, timedelta
from functools import cache, partial
from typing import NamedTuple

import msgspec

from ecluse.bus.position import Position
from ecluse.core.db import queries
from ecluse.core.db.pool import Connection
from ecluse.core.errors import Gone
from ecluse.core.fhir import json, types
from ecluse.core.fhir.dates import LATEST
from ecluse.core.fhir.definitions.search_parameters import parameters
from fhir_server.http.failures import outcome_body
from fhir_server.http.request import Answer
from fhir_server.search_parameters.taking import SEARCH_PARAMETER, Stored, follow
from fhir_server.slices import in_slices
from fhir_server.store import answers, compartment, search_rows
from fhir_server.store.keys import Keys
from fhir_server.store.write import Context
from mappers.search.index import IndexRows, index_rows
from mappers.search.patient import leading

SQL = queries.load(__package__, "erase.sql")
ERASED = 5
AT_ONCE = 200
LONGEST_REQUEST = timedelta(hours=1)
"""How much earlier than the version it makes a request may have come; its answer bears the time it came."""
PATIENT, PARAMETER = types.number_of["Patient"], types.number_of[SEARCH_PARAMETER]
_STORED = re.compile(rb'"resourceType":"([A-Za-z]+)","id":"([A-Za-z0-9.-]{1,64})"')
"""How every stored body begins."""

Address = tuple[int, str]
"""(number of the type, id)"""


class Standing(NamedTuple):
    """What stands under a locked skeleton."""

    pk: int
    type: int
    id: str
    version: int
    updated: datetime
    patient: str | None
    op: int
    body: bytes | None


class Erasure:
    """One erasure, in one transaction. erased, kept: what went, and what stayed because it is others' too; event: the
    last one so far."""

    def __init__(self, conn: Connection, keys: Keys, context: Context) -> None:
        self._conn = conn
        self._keys = keys
        self._context = context
        self._binaries: set[Address] = set()
        self._since = LATEST
        self.erased: set[Address] = set()
        self.kept: set[Address] = set()
        self.event: Position | None = None

    async def take(self, addresses: Collection[Address], patients: Collection[str] | None = None) -> int:
        """How many of these were ever stored; they are erased now.

        patients: whose they must be, and nobody else's; None when that does not matter
        """
        wanted = [list(column) for column in zip(*addresses, strict=True)] or [[], []]
        locked = await self._conn.fetch(SQL["lock"], self._context.site, *wanted)
        for start in range(0, len(locked), AT_ONCE):
            part = locked[start : start + AT_ONCE]
            numbers, pks = [row["type"] for row in part], [row["pk"] for row in part]
            rows = await self._conn.fetch(SQL["standing"], self._context.site, numbers, pks)
            await self._erase([Standing(*row) for row in rows], patients)
        return len(locked)

    async def take_attachments(self, base: str) -> None:
        """Erases the Binaries that erased resources referred to, unless a document of somebody else does too.

        base: of the site, under which a document may name them"""
        for kind, own in self._binaries - self.erased:
            addresses = [f"Binary/{own}", f"{base}/Binary/{own}"]
            paths = list(parameters("DocumentReference")["location"].paths)
            if await self._conn.fetchval(SQL["document_of"], self._context.site, paths, addresses):
                self.kept.add((kind, own))
            else:
                await self.take([(kind, own)])

    async def take_answers(self) -> None:
        """Puts 410 in place of each kept answer that holds an erased resource. Its key stays taken: the request that is
        sent again must not bring back what was erased."""
        place, since = ("", ""), self._since - LONGEST_REQUEST
        while rows := await self._conn.fetch(SQL["answers"], self._context.site, since, *place, AT_ONCE):
            async for row in in_slices(rows):
                if self._holds(msgspec.msgpack.decode(row["answer"], type=Answer).body):
                    await answers.replace(self._conn, (self._context.site, row["sender"], row["key"]), _gone())
            place = (rows[-1]["sender"], rows[-1]["key"])

    def _holds(self, body: bytes) -> bool:
        told = {(types.number_of.get(kind.decode(), 0), own.decode()) for kind, own in _STORED.findall(body)}
        return not told.isdisjoint(self.erased)

    async def _erase(self, standing: Sequence[Standing], patients: Collection[str] | None) -> None:
        doomed: list[Standing] = []
        async for one in in_slices(standing):
            if one.op == ERASED:
                continue
            if patients is not None and not _belongs(one, patients):
                self.kept.add((one.type, one.id))
            else:
                doomed.append(one)
        if doomed:
            await self._note_attachments([one.pk for one in doomed])
            await search_rows.drop_all(self._conn, [one.pk for one in doomed])
            await self._erase_versions(doomed)

    async def _note_attachments(self, pks: Sequence[int]) -> None:
        for row in await self._conn.fetch(SQL["bodies"], pks):
            self._since = min(self._since, row["updated"])
            self._binaries |= {
                found for found in compartment.addresses([row["body"]]) if found[0] == compartment.BINARY
            }

    async def _erase_versions(self, doomed: Sequence[Standing]) -> None:
        context = self._context.now()
        (write_id,) = await self._keys.take(self._conn, 1)
        (told,) = await self._conn.fetch(
            SQL["erase"],
            *(write_id, context.received_at, len(doomed), context.site, context.lane, context.sender),
            *(context.request_id, context.source_format, context.traceparent),
            [one.pk for one in doomed],
            [one.type for one in doomed],
            [one.version + 1 for one in doomed],
            [max(context.instant, one.updated + timedelta(milliseconds=1)) for one in doomed],
            [one.patient for one in doomed],
            *(context.method, context.target),
        )
        self.event = Position(told["epoch"] or 1, told["seq"])
        self.erased |= {(one.type, one.id) for one in doomed}
        gone = [Stored(0, one.pk, one.id, None) for one in doomed if one.type == PARAMETER]
        if gone:
            await follow(self._conn, context.site, gone)


async def deleted_of(conn: Connection, site: int, patients: Collection[str]) -> set[Address]:
    """The resources that were deleted while they were of these patients."""
    return {(row["type"], row["id"]) for row in await conn.fetch(SQL["deleted"], site, list(patients))}


def _belongs(one: Standing, patients: Collection[str]) -> bool:
    """Whether a resource is of these patients and of nobody else."""
    if one.type == PATIENT:
        return one.id in patients
    if one.body is None:
        return one.patient in patients
    kind = types.name_of[one.type]
    rows = index_rows(kind, json.decode(one.body))
    named = [target for target in map(partial(_named, rows), _own_paths(kind)) if target]
    return bool(named) and named[0] <= set(patients)


def _named(rows: IndexRows, paths: frozenset[int]) -> set[str]:
    return {target for path, _, kind, target in rows.references if kind == PATIENT and path in paths}


@cache
def _own_paths(kind: str) -> tuple[frozenset[int], frozenset[int]]:
    """The paths that say whose a resource is: patient and subject, and if those name nobody all that lead to a patient.
    A mother who reported an observation of her child does not own it."""
    found = leading(kind)
    first = [parameter for parameter in found if parameter.code in ("patient", "subject")]
    first_paths, paths = ([path for parameter in some for path in parameter.paths] for some in (first, found))
    return frozenset(first_paths), frozenset(paths)


def _gone() -> Answer:
    text = "What this request wrote was erased since; it is not written again under the same Idempotency-Key."
    return Answer(Gone.status, outcome_body(Gone(text)))

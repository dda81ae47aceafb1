"""The one door in: every way of writing ends here, in the caller's transaction.

Enters: intents (create, update, patch, delete), each with its resource checked, its references final and its rows
mapped, and the context of the request. Leaves: what was written, with version and instant, in the order of the intents.
The versions, the rows that searches read and the events of the bus are written by the same statements, so that none
can stand without the others.

    1 lock     the rows of known ids, in (type, id) order, so that writers of the same resources never wait in a circle
    2 compare  a version condition, what a search had found, an update that changes nothing; a patch is made here
    3 write    one statement for all that is new, one for all that changes (versions.py)
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from datetime import datetime, timedelta
from typing import Any, NamedTuple

from ecluse.core.db import queries
from ecluse.core.db.pool import Connection
from ecluse.core.errors import EcluseError, Gone, NotFound, Overtaken, PreconditionFailed
from ecluse.core.fhir import json, types
from fhir_server.slices import in_slices
from fhir_server.store import flags, intake, live
from fhir_server.store.body import same_content, stored_body
from fhir_server.store.change import CREATED, DELETED, UPDATED, Change
from fhir_server.store.flags import Findings, Flagged
from fhir_server.store.keys import Keys
from fhir_server.store.search_rows import NO_ROWS, without
from fhir_server.store.versions import ASKING, store
from fhir_server.store.written import Context as Context
from fhir_server.store.written import Written as Written
from fhir_server.subscriptions.taking import Taken, Wanted, asked, check_endpoint
from mappers.search.index import IndexRows, index_rows, patient_of

SQL = queries.load(__package__, "write.sql")
NO_VERSION, ANY_VERSION = 0, -1
"""What if_match may say beside a version: nothing may stand, anything must."""


class Intent(NamedTuple):
    """One write that somebody asks for; without a resource and a change it is a delete.

    new: the server gave the id, so no row can stand under it; change: makes the intent of the resource that stands,
    under its lock (a patch); seen: the version that a search found, which must be the one that stands; wanted: by a
    Subscription that is not off, or a topic"""

    type: str
    id: str
    resource: dict[str, Any] | None
    rows: IndexRows = NO_ROWS
    patient: str | None = None
    new: bool = False
    if_match: int | None = None
    change: Callable[[dict[str, Any]], Intent] | None = None
    seen: int | None = None
    wanted: Taken = None

    @property
    def address(self) -> tuple[int, str]:
        """(number of the type, id)"""
        return types.number_of[self.type], self.id


class Held(NamedTuple):
    """A locked row, with its current body. live: the live lane wrote it and the write has to leave that"""

    pk: int
    type: int
    id: str
    version: int
    deleted: bool
    updated: datetime
    patient: str | None
    body: bytes | None
    live: bool = False


def intent(resource: dict[str, Any], resource_id: str, *, new: bool = False, if_match: int | None = None) -> Intent:
    """The wish to store this resource under this id, with its rows mapped."""
    kind = resource["resourceType"]
    resource, wanted = asked(kind, resource) if kind in ASKING else (resource, None)
    rows, patient = index_rows(kind, resource), patient_of(kind, resource_id, resource)
    return Intent(kind, resource_id, resource, rows, patient, new, if_match, wanted=wanted)


async def write(conn: Connection, keys: Keys, intents: Sequence[Intent], context: Context) -> list[Written]:
    """What was written, in the order of the intents.

    Raises: PreconditionFailed (412) when a version condition does not hold, Overtaken (409) when what a search found
    has changed since, NotFound (404) and Gone (410) when there is nothing to patch
    """
    context = context.now()
    held = await _lock(conn, keys, intents, context)
    write_id, *fresh = await keys.take(conn, 1 + sum(item.new for item in intents))
    compared = await _compared(intents, held, iter(fresh), context)
    outcome = [one.written if isinstance(one, Change) else one for one in compared]
    if changes := [one for one in compared if isinstance(one, Change)]:
        event = await store(conn, write_id, changes, len(intents), context)
        last = changes[-1].entry
        outcome[last] = outcome[last]._replace(event=event)
    else:
        status = 204 if context.method == "DELETE" else 200
        await intake.note(conn, keys, [intake.note_of(context, status, intake.nothing_of(outcome))])
    if context.findings:
        await flags.replace(
            conn, context.site, context.sender, context.instant, _flagged(intents, compared, held, context.findings)
        )
    return outcome


async def _lock(
    conn: Connection, keys: Keys, intents: Sequence[Intent], context: Context
) -> dict[tuple[int, str], Held]:
    known = sorted(item.address for item in intents if not item.new)
    if not known:
        return {}
    held = await _held(conn, known, context)
    wanted = {item.address for item in intents if not item.new and item.resource is not None}
    missing = [key for key in known if key in wanted and key not in held]
    if missing:
        pks = await keys.take(conn, len(missing))
        columns = [list(column) for column in zip(*missing, strict=True)]
        await conn.execute(SQL["reserve"], context.site, pks, *columns, context.instant)
        held |= await _held(conn, missing, context)
    return held


async def _held(conn: Connection, known: Sequence[tuple[int, str]], context: Context) -> dict[tuple[int, str], Held]:
    columns = [list(column) for column in zip(*known, strict=True)]
    held = [Held(*row) for row in await conn.fetch(SQL["lock"], context.site, *columns)]
    late = [row.pk for row in held if row.body is None and not row.deleted]
    bodies = {row["pk"]: row["body"] for row in await conn.fetch(SQL["current_bodies"], late)} if late else {}
    kept = await live.keys(conn, [row.pk for row in held if row.version]) if context.keep_live else frozenset()
    return {(row.type, row.id): row._replace(body=bodies.get(row.pk, row.body), live=row.pk in kept) for row in held}


async def _compared(
    intents: Sequence[Intent], held: Mapping[tuple[int, str], Held], fresh: Iterator[int], context: Context
) -> list[Change | Written]:
    """For each intent the change that it asks for, or what stands already. fresh: keys for what is new

    Raises: what comparing raises, with the entry"""
    compared: list[Change | Written] = []
    async for entry, item in in_slices(enumerate(intents)):
        try:
            if item.new:
                one: Change | Written = _first(item, next(fresh), entry, context)
            else:
                one = _compare(item, held.get(item.address), entry, context)
            if isinstance(one, Change) and isinstance(one.wanted, Wanted) and context.hooks is not None:
                check_endpoint(one.wanted, context.hooks)
        except EcluseError as error:
            error.entry = entry
            raise
        compared.append(one)
    return compared


def _flagged(
    intents: Sequence[Intent],
    compared: Sequence[Change | Written],
    held: Mapping[tuple[int, str], Held],
    findings: Findings,
) -> list[Flagged]:
    """What was found of the resources, also of those that stand unchanged."""
    flagged: list[Flagged] = []
    for item, one in zip(intents, compared, strict=True):
        if isinstance(one, Change):
            pk, version, resource = one.pk, one.written.version, one.after
        elif one.kept or item.address not in held:
            continue
        else:
            row = held[item.address]
            pk, version, resource = row.pk, row.version, item.resource
        issues = findings.of(resource)
        if issues is not None:
            flagged.append(Flagged(pk, item.type, version, issues))
    return flagged


def _first(item: Intent, pk: int, entry: int, context: Context) -> Change:
    assert item.resource is not None
    body = stored_body(item.resource, item.id, 1, context.instant)
    written = Written(item.type, item.id, 1, context.instant, body, created=True)
    return Change(
        pk=pk,
        entry=entry,
        op=CREATED,
        new=True,
        written=written,
        patient=item.patient,
        gone=NO_ROWS,
        rows=item.rows,
        former=written.updated,
        after=item.resource,
        wanted=item.wanted,
    )


def _compare(item: Intent, held: Held | None, entry: int, context: Context) -> Change | Written:
    """The change that the intent asks for, or what stands already when it asks for nothing new."""
    if item.seen is not None and (held is None or item.seen != held.version):
        raise Overtaken
    if item.if_match is not None:
        _check_version(item, held)
    if held is not None and held.live:
        return Written(item.type, item.id, held.version, held.updated, held.body, unchanged=True, kept=True)
    if item.change is not None:
        item = _changed(item, item.change, held)
    if held is None:
        return Written(item.type, item.id, 0, context.instant, None, unchanged=True)
    if item.resource is None:
        return _delete(item, held, entry, context)
    standing = json.decode_exactly(held.body) if held.body is not None else None
    told = isinstance(item.wanted, Wanted) and item.wanted.headers is not None
    if standing is not None and not told and same_content(standing, item.resource):
        return Written(item.type, item.id, held.version, held.updated, held.body, unchanged=True)
    updated = _after(held, context)
    body = stored_body(item.resource, item.id, held.version + 1, updated)
    written = Written(item.type, item.id, held.version + 1, updated, body, created=held.deleted)
    before = index_rows(item.type, standing) if standing is not None else NO_ROWS
    return Change(
        pk=held.pk,
        entry=entry,
        op=CREATED if held.deleted else UPDATED,
        new=False,
        written=written,
        patient=item.patient,
        gone=without(before, item.rows),
        rows=without(item.rows, before),
        former=held.updated,
        before=standing,
        after=item.resource,
        wanted=item.wanted,
    )


def _check_version(item: Intent, held: Held | None) -> None:
    """Raises: PreconditionFailed (412), telling the version that stands"""
    standing = held.version if held is not None and not held.deleted else NO_VERSION
    if item.if_match == standing or (item.if_match == ANY_VERSION and standing):
        return
    name, found = f"{item.type}/{item.id}", f"If-Match asked for version {item.if_match}"
    if item.if_match == NO_VERSION:
        text, found = f"{name} exists already, in version {standing}; update it without If-None-Match.", ""
    elif not standing:
        text = f"{name} does not exist; leave If-Match out to create it."
    else:
        text = f"{name} is at version {standing}; read it again and repeat the change on that version."
    raise PreconditionFailed(text, diagnostics=found, version=standing or None)


def _changed(item: Intent, change: Callable[[dict[str, Any]], Intent], held: Held | None) -> Intent:
    """The intent that a change makes of what stands."""
    if held is None:
        raise NotFound(f"There is no {item.type}/{item.id} here.")
    if held.body is None:
        text = f"{item.type}/{item.id} is gone since version {held.version}; a PUT makes it anew."
        raise Gone(text, version=held.version)
    return change(json.decode_exactly(held.body))


def _delete(item: Intent, held: Held, entry: int, context: Context) -> Change | Written:
    if held.deleted:
        return Written(item.type, item.id, held.version, held.updated, None, unchanged=True)
    written = Written(item.type, item.id, held.version + 1, _after(held, context), None)
    standing = json.decode(held.body) if held.body is not None else None
    return Change(
        pk=held.pk,
        entry=entry,
        op=DELETED,
        new=False,
        written=written,
        patient=held.patient,
        gone=NO_ROWS,
        rows=NO_ROWS,
        former=held.updated,
        before=standing,
        wanted=item.wanted,
    )


def _after(held: Held, context: Context) -> datetime:
    return max(context.instant, held.updated + timedelta(milliseconds=1)) if held.version else context.instant

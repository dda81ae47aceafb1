"""The one door in: every way of writing ends here, in the caller's transaction.

Enters: intents (create, update, patch, delete), each with its resource checked, its references final and its rows
mapped, and the context of the request. Leaves: what was written, with version and instant, in the order of the intents.
The versions, the rows that searches read and the events of the bus are written by the same statements, so that none
can stand without the others.

    1 lock     the rows of known ids, in (type, id) order, so that writers of the same resources never wait in a circle
    2 compare  a version condition, what a search had found, an update that changes nothing; a patch is made here
    3 write    one statement for all that is new, one for all that changes
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from datetime import datetime, timedelta
from itertools import chain
from typing import Any, NamedTuple

from ecluse.bus.position import Position
from ecluse.core.db import queries
from ecluse.core.db.pool import Connection
from ecluse.core.errors import EcluseError, Gone, NotFound, Overtaken, PreconditionFailed
from ecluse.core.fhir import json, types
from fhir_server.search_parameters.registries import Registries
from fhir_server.search_parameters.taking import SEARCH_PARAMETER
from fhir_server.search_parameters.writing import Altered, settle
from fhir_server.slices import in_slices
from fhir_server.store import flags, intake, live, search_rows
from fhir_server.store.body import same_content, stored_body
from fhir_server.store.flags import Findings, Flagged
from fhir_server.store.keys import Keys
from fhir_server.store.search_rows import NO_ROWS, alongside, together, without
from fhir_server.store.written import Context as Context
from fhir_server.store.written import Written as Written
from fhir_server.subscriptions.taking import SUBSCRIPTION, Taken, Wanted, asked, check_endpoint, follow
from fhir_server.subscriptions.topic import BASIC
from mappers.search.index import IndexRows, index_rows, own_rows, patient_of
from mappers.search.registry import Registry

SQL = queries.load(__package__, "write.sql")
STORE_NEW, STORE_NEXT = SQL["store_new"], SQL["store_next"]
STORE_MANY = STORE_NEW.format(search_rows="")
CREATED, UPDATED, DELETED = 1, 2, 3
ASKING = (SUBSCRIPTION, BASIC)
NO_VERSION, ANY_VERSION = 0, -1
"""What if_match may say beside a version: nothing may stand, anything must."""
MANY = 50
"""New resources of which the search rows are copied rather than sent as arrays."""
MOST_AT_ONCE = 1000
"""New resources in one statement: encoding the arguments of more would hold up other requests for too long."""


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


class Difference(NamedTuple):
    """Search rows that a change drops, and those that it adds."""

    gone: IndexRows
    added: IndexRows


NO_DIFFERENCE = Difference(NO_ROWS, NO_ROWS)


class Change(NamedTuple):
    """A next version, ready to be stored. gone, rows: of R4's parameters, those made at run time are added as they are
    stored; former: the instant of the version before; before: the resource that stood"""

    pk: int
    entry: int
    op: int
    intent: Intent
    written: Written
    patient: str | None
    gone: IndexRows
    rows: IndexRows
    former: datetime
    before: dict[str, Any] | None = None

    @property
    def altered(self) -> Altered:
        """What changes, for parameters made at run time."""
        return Altered(self.entry, self.pk, self.intent.type, self.intent.id, self.before, self.intent.resource)


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
    numbers = await keys.take(conn, 1 + sum(item.new for item in intents))
    fresh = iter(numbers[1:])
    outcome: list[Written] = []
    new: list[Change] = []
    changed: list[Change] = []
    standing: list[tuple[int, Intent, int]] = []
    async for entry, item in in_slices(enumerate(intents)):
        if item.new:
            change = _first(item, next(fresh), entry, context)
            _check_served(change, context)
            new.append(change)
        else:
            row = held.get((types.number_of[item.type], item.id))
            try:
                compared = _compare(item, row, entry, context)
            except EcluseError as error:
                error.entry = entry
                raise
            if isinstance(compared, Written):
                outcome.append(compared)
                if row is not None and not compared.kept:
                    standing.append((row.pk, item, row.version))
                continue
            change = compared
            _check_served(change, context)
            changed.append(change)
        outcome.append(change.written)
    if new or changed:
        event = await _store(conn, numbers[0], new, changed, len(intents), context)
        last = (changed or new)[-1].entry
        outcome[last] = outcome[last]._replace(event=event)
    else:
        status = 204 if context.method == "DELETE" else 200
        await intake.note(conn, keys, [intake.note_of(context, status, intake.nothing_of(outcome))])
    if context.findings:
        rows = [(change.pk, change.intent, change.written.version) for change in (*new, *changed)]
        await _flag(conn, context, context.findings, rows + standing)
    return outcome


def _check_served(change: Change, context: Context) -> None:
    """Nothing, when a Subscription that is written can ever be served.

    Raises: Unprocessable (422) of the entry"""
    wanted = change.intent.wanted
    if isinstance(wanted, Wanted) and context.hooks is not None:
        try:
            check_endpoint(wanted, context.hooks)
        except EcluseError as error:
            error.entry = change.entry
            raise


async def _flag(
    conn: Connection, context: Context, findings: Findings, rows: Sequence[tuple[int, Intent, int]]
) -> None:
    """Stores what was found of the resources, also of those that stand unchanged."""
    found = [(pk, item, version, findings.of(item.resource)) for pk, item, version in rows]
    flagged = [Flagged(pk, item.type, version, issues) for pk, item, version, issues in found if issues is not None]
    await flags.replace(conn, context.site, context.sender, context.instant, flagged)


async def _lock(
    conn: Connection, keys: Keys, intents: Sequence[Intent], context: Context
) -> dict[tuple[int, str], Held]:
    known = sorted((types.number_of[item.type], item.id) for item in intents if not item.new)
    if not known:
        return {}
    held = await _held(conn, known, context)
    wanted = {(types.number_of[item.type], item.id) for item in intents if not item.new and item.resource is not None}
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


def _first(item: Intent, pk: int, entry: int, context: Context) -> Change:
    assert item.resource is not None
    body = stored_body(item.resource, item.id, 1, context.instant)
    written = Written(item.type, item.id, 1, context.instant, body, created=True)
    return Change(pk, entry, CREATED, item, written, item.patient, NO_ROWS, item.rows, written.updated)


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
    op = CREATED if held.deleted else UPDATED
    gone, added = without(before, item.rows), without(item.rows, before)
    return Change(held.pk, entry, op, item, written, item.patient, gone, added, held.updated, standing)


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
    return Change(held.pk, entry, DELETED, item, written, held.patient, NO_ROWS, NO_ROWS, held.updated, standing)


def _after(held: Held, context: Context) -> datetime:
    return max(context.instant, held.updated + timedelta(milliseconds=1)) if held.version else context.instant


async def _store(
    conn: Connection, write_id: int, new: Sequence[Change], changed: Sequence[Change], entries: int, context: Context
) -> Position:
    """The last event."""
    source = (
        write_id,
        context.received_at,
        entries,
        context.site,
        context.lane,
        context.sender,
        context.request_id,
        context.source_format,
        context.traceparent,
    )
    effect = intake.effect(context, [change.written for change in chain(new, changed)])
    places = _places(chain(new, changed))
    registries = context.registries or Registries()
    registry = registries.known(context.site)
    stored: Any = None
    for start in range(0, len(new), MOST_AT_ONCE):
        part = new[start : start + MOST_AT_ONCE]
        given = (*source, *_first_columns(part, places), *effect, context.instant)
        rows = [(change.pk, _difference(change, registry).added) for change in part]
        if len(part) < MANY:
            statement, arrays = alongside(STORE_NEW, 26, [], rows)
            stored = await conn.fetchrow(statement, *given, *arrays)
        else:
            stored = await conn.fetchrow(STORE_MANY, *given)
            await search_rows.copy(conn, context.site, rows)
    if changed:
        if deleted := [change.pk for change in changed if change.op == DELETED]:
            await search_rows.drop_all(conn, deleted)
        differences = [(change.pk, _difference(change, registry)) for change in changed]
        gone = [(pk, rows.gone) for pk, rows in differences]
        added = [(pk, rows.added) for pk, rows in differences]
        statement, arrays = alongside(STORE_NEXT, 28, gone, added)
        stored = await conn.fetchrow(statement, *source, *_next_columns(changed, places), *effect, *arrays)
    every = [*new, *changed]
    if stored["generation"] != registry.generation:
        latest = await registries.current(conn, context.site)
        await _remake(conn, context.site, every, registry, latest)
        registry = latest
    if registry.unique or any(change.intent.type == SEARCH_PARAMETER for change in every):
        await settle(conn, context.site, registry, [change.altered for change in every])
    asking = [*(one for one in new if one.intent.wanted is not None), *changed]
    for change in sorted(asking, key=lambda one: one.intent.type):  # a topic before who subscribes to it
        if change.intent.type in ASKING:
            await follow(conn, context.site, change.pk, change.intent.id, change.written.updated, change.intent.wanted)
    return Position(stored["epoch"] or 1, stored["seq"])


def _difference(change: Change, registry: Registry) -> Difference:
    """What a change drops and adds of all rows."""
    own = _own(change, registry)
    if own is NO_DIFFERENCE:
        return Difference(change.gone, change.rows)
    return Difference(together(change.gone, own.gone), together(change.rows, own.added))


def _own(change: Change, registry: Registry) -> Difference:
    """What a change drops and adds of the rows of paths made at run time."""
    if not registry.paths or change.op == DELETED:
        return NO_DIFFERENCE
    before = NO_ROWS if change.before is None else own_rows(change.intent.type, change.before, registry)
    assert change.intent.resource is not None
    after = own_rows(change.intent.type, change.intent.resource, registry)
    return Difference(without(before, after), without(after, before))


async def _remake(conn: Connection, site: int, changes: Sequence[Change], known: Registry, latest: Registry) -> None:
    """Puts right what was stored by a registry that had changed meanwhile."""
    gone: list[tuple[int, IndexRows]] = []
    added: list[tuple[int, IndexRows]] = []
    for change in changes:
        made, wanted = _own(change, known), _own(change, latest)
        gone += [(change.pk, without(wanted.gone, made.gone)), (change.pk, without(made.added, wanted.added))]
        added.append((change.pk, without(wanted.added, made.added)))
    await search_rows.drop(conn, site, gone)
    await search_rows.add(conn, site, added)


def _places(changes: Iterable[Change]) -> dict[int, int]:
    """Entry → which one it is of those that make an event, from 0: readers count them to know that a transaction is
    whole."""
    return {entry: place for place, entry in enumerate(sorted(change.entry for change in changes))}


def _first_columns(changes: Sequence[Change], places: Mapping[int, int]) -> list[list[Any]]:
    return [
        [change.pk for change in changes],
        [types.number_of[change.intent.type] for change in changes],
        [change.intent.id for change in changes],
        [change.patient for change in changes],
        [change.written.body for change in changes],
        [places[change.entry] for change in changes],
    ]


def _next_columns(changes: Sequence[Change], places: Mapping[int, int]) -> list[list[Any]]:
    return [
        [change.pk for change in changes],
        [types.number_of[change.intent.type] for change in changes],
        [change.patient for change in changes],
        [change.written.body for change in changes],
        [places[change.entry] for change in changes],
        [change.written.version for change in changes],
        [change.written.updated for change in changes],
        [change.op for change in changes],
        [change.former for change in changes],
    ]

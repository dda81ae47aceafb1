"""The statements of a write: versions, the rows that searches read, and events, so that none stands without the others.

Enters: changes, in the caller's transaction. Leaves: the last of their events. What is new is stored by one statement
for each thousand, what changes by one; then follows what SearchParameters, Subscriptions and topics mean for others.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any, NamedTuple

import asyncpg

from ecluse.bus.position import Position
from ecluse.core.db import queries
from ecluse.core.db.pool import Connection
from ecluse.core.fhir import types
from ecluse.related.registries import Registries
from fhir_server.search_parameters.taking import SEARCH_PARAMETER
from fhir_server.search_parameters.writing import settle
from fhir_server.store import intake, search_rows
from fhir_server.store.change import DELETED, Change, difference, difference_of_own
from fhir_server.store.search_rows import alongside, without
from fhir_server.store.written import Context
from fhir_server.subscriptions.taking import SUBSCRIPTION, follow
from fhir_server.subscriptions.topic import BASIC
from mappers.search.index import IndexRows
from mappers.search.registry import Registry

SQL = queries.load(__package__, "versions.sql")
ASKING = (SUBSCRIPTION, BASIC)
"""The types of resources that ask for notifications, or say what can be asked for."""
MANY = 50
"""New resources of which the search rows are copied rather than sent as arrays."""
MOST_AT_ONCE = 1000
"""New resources in one statement: encoding the arguments of more would hold up other requests for too long."""


class Frame(NamedTuple):
    """What all statements of a write say of it. source: where it comes from; effect: what it did; places: entry → which
    one it is of those that make an event, from 0: readers count them to know that a transaction is whole"""

    context: Context
    source: tuple[object, ...]
    effect: tuple[object, ...]
    places: Mapping[int, int]


async def store(conn: Connection, write_id: int, changes: Sequence[Change], entries: int, context: Context) -> Position:
    """The last event of these changes, which are stored. entries: how many writes were asked for

    Raises: Conflict (409) when another resource has a value that is unique, Unprocessable (422) when a SearchParameter
    cannot be served; each with its entry"""
    registries = context.registries or Registries()
    registry = registries.known(context.site)
    new = [change for change in changes if change.new]
    changed = [change for change in changes if not change.new]
    frame = _frame(write_id, changes, entries, context)
    stored: asyncpg.Record | None = None
    for start in range(0, len(new), MOST_AT_ONCE):
        stored = await _store_new(conn, frame, new[start : start + MOST_AT_ONCE], registry)
    if changed:
        stored = await _store_next(conn, frame, changed, registry)
    assert stored is not None
    if stored["generation"] != registry.generation:
        latest = await registries.current(conn, context.site)
        await _remake(conn, context.site, [*new, *changed], registry, latest)
        registry = latest
    await _follow(conn, context.site, [*new, *changed], registry)
    return Position(stored["epoch"] or 1, stored["seq"])


def _frame(write_id: int, changes: Sequence[Change], entries: int, context: Context) -> Frame:
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
    effect = intake.effect(context, [change.written for change in changes])
    places = {entry: place for place, entry in enumerate(sorted(change.entry for change in changes))}
    return Frame(context, source, effect, places)


async def _store_new(
    conn: Connection, frame: Frame, changes: Sequence[Change], registry: Registry
) -> asyncpg.Record | None:
    """First versions under ids that the server gave."""
    columns = (
        [change.pk for change in changes],
        [types.number_of[change.type] for change in changes],
        [change.written.id for change in changes],
        [change.patient for change in changes],
        [change.written.body for change in changes],
        [frame.places[change.entry] for change in changes],
    )
    given = (*frame.source, *columns, *frame.effect, frame.context.instant)
    rows = [(change.pk, difference(change, registry).added) for change in changes]
    copied = len(changes) >= MANY
    statement, arrays = alongside(SQL["store_new"], len(given) + 1, [], [] if copied else rows)
    stored = await conn.fetchrow(statement, *given, *arrays)
    if copied:
        await search_rows.copy(conn, frame.context.site, rows)
    return stored


async def _store_next(
    conn: Connection, frame: Frame, changes: Sequence[Change], registry: Registry
) -> asyncpg.Record | None:
    """Next versions of locked rows."""
    if deleted := [change.pk for change in changes if change.op == DELETED]:
        await search_rows.drop_all(conn, deleted)
    columns: tuple[list[Any], ...] = (
        [change.pk for change in changes],
        [types.number_of[change.type] for change in changes],
        [change.patient for change in changes],
        [change.written.body for change in changes],
        [frame.places[change.entry] for change in changes],
        [change.written.version for change in changes],
        [change.written.updated for change in changes],
        [change.op for change in changes],
        [change.former for change in changes],
    )
    given = (*frame.source, *columns, *frame.effect)
    differences = [(change.pk, difference(change, registry)) for change in changes]
    gone = [(pk, rows.gone) for pk, rows in differences]
    added = [(pk, rows.added) for pk, rows in differences]
    statement, arrays = alongside(SQL["store_next"], len(given) + 1, gone, added)
    return await conn.fetchrow(statement, *given, *arrays)


async def _remake(conn: Connection, site: int, changes: Iterable[Change], known: Registry, latest: Registry) -> None:
    """Puts right what was stored by a registry that had changed meanwhile."""
    gone: list[tuple[int, IndexRows]] = []
    added: list[tuple[int, IndexRows]] = []
    for change in changes:
        made, wanted = difference_of_own(change, known), difference_of_own(change, latest)
        gone += [(change.pk, without(wanted.gone, made.gone)), (change.pk, without(made.added, wanted.added))]
        added.append((change.pk, without(wanted.added, made.added)))
    await search_rows.drop(conn, site, gone)
    await search_rows.add(conn, site, added)


async def _follow(conn: Connection, site: int, changes: Sequence[Change], registry: Registry) -> None:
    """What the changes mean for values that are unique, for searches and for notifications."""
    if registry.unique or any(change.type == SEARCH_PARAMETER for change in changes):
        await settle(conn, site, registry, [change.altered for change in changes])
    asking = [one for one in changes if one.type in ASKING and (one.wanted is not None or not one.new)]
    for one in sorted(asking, key=lambda one: one.type):  # a topic before who subscribes to it
        await follow(conn, site, one.pk, one.written.id, one.written.updated, one.wanted)

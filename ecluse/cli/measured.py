"""What a scrape is told, at a price that does not grow with what is stored.

Enters: opened databases. Leaves: the state that metrics.py writes. What flows is looked at each time, a backlog by as
many rows as backlog.py says. The stock (resources, books of the consumers) has to be counted, which takes seconds when
there are millions: that is done beside the scrape, and not again before twenty times as long has passed.
"""

from __future__ import annotations

import asyncio
from contextlib import suppress
from typing import Any

from consumers import dead_letters, ledger, place, registry
from consumers.lag import Lag
from consumers.sink import Sink
from ecluse.bus.durations import Bucket, buckets
from ecluse.bus.flow import flow
from ecluse.cli.lags import Lags
from ecluse.cli.status import Present, flow_of, stored_of
from ecluse.core import clock
from ecluse.core.db.databases import Databases
from ecluse.core.db.pool import translated
from ecluse.core.errors import Unavailable
from ecluse.core.settings import Settings
from fhir_server.store import reindex, resources
from fhir_server.subscriptions.taking import SQL

TIMES = 20
"""The stock is counted a twentieth of the time at most."""


class Measured:
    """What one server process knows of the stock, and tells with what flows."""

    def __init__(self, settings: Settings, lags: Lags) -> None:
        self._settings = settings
        self._lags = lags
        self._stock: Present | None = None
        self._counting: asyncio.Task[None] | None = None
        self._again_at = 0.0

    async def present(self, databases: Databases) -> Present:
        """The state, as `status.present` has it, with the parts of each consumer's lag and all durations.

        Raises: Unavailable (503) when a database is away"""
        stock = await self._counted(databases)
        with translated():
            behind = await self._lags.present(databases)
            async with databases.store.acquire() as conn:
                rows, found = await reindex.present(conn), await flow(conn, self._settings)
                undecided = await conn.fetchval(SQL["all_undecided"])
            sinks = registry.standing(self._settings, databases)[0].values()
            return {
                "stored": stock["stored"],
                "consumers": [
                    await _consumer(sink, stock["books"].get(sink.name), behind.get(sink.name)) for sink in sinks
                ],
                "search_rows": {"behind": rows.behind},
                "subscriptions": {"undecided": undecided},
                "durations": await _durations(databases),
                "alarm_s": self._settings.alarm_s,
                **flow_of(found, self._settings),
            }

    async def _counted(self, databases: Databases) -> Present:
        """The stock, as it was counted last; the first time it is waited for."""
        idle = self._counting is None or self._counting.done()
        if idle and clock.monotonic() >= self._again_at:
            self._counting = asyncio.create_task(self._count(databases))
        if self._stock is None and self._counting is not None:
            await asyncio.shield(self._counting)
        if self._stock is None:
            raise Unavailable("The database does not answer; try again.")
        return self._stock

    async def _count(self, databases: Databases) -> None:
        began = clock.monotonic()
        with suppress(Unavailable), translated():
            async with databases.store.acquire() as conn:
                stored = stored_of(await resources.stored_counts(conn))
            books = {}
            for sink in registry.standing(self._settings, databases)[0].values():
                found = await ledger.books(sink.pool, databases.store, sink.name, sink.types)
                books[sink.name] = found._asdict()
            self._stock = {"stored": stored, "books": books}
        ended = clock.monotonic()
        self._again_at = ended + TIMES * (ended - began)


async def _durations(databases: Databases) -> list[Bucket]:
    pools: list[Any] = [databases.store, databases.warehouse, databases.hub]
    return await buckets(dict.fromkeys(pools))


async def _consumer(sink: Sink, books: Present | None, behind: Lag | None) -> Present:
    reasons = await dead_letters.reasons(sink.pool, sink.name)
    return {
        "name": sink.name,
        **(books or {}),
        "dead": sum(reasons.values()),
        "dead_letters": reasons,
        "lag_events": behind and behind.events,
        "lag_s": behind and behind.seconds,
        "processes": await place.processes(sink.pool, sink.name),
        "parts": [part._asdict() for part in behind.parts] if behind else [],
    }

"""The consumer that notifies apps which speak no Kafka.

Enters: every version of every resource. Leaves: a numbered notification for each live create or update that matches a
Subscription, in the transaction that stores the offset; delivery.py sends them. What is sent again (a walk, a
remapping) or was loaded in bulk notifies nobody.
Spec: http://hl7.org/fhir/R4/subscription.html
"""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from contextlib import suppress
from typing import Any

import asyncpg

from consumers.sink import MAPPED, Change, Disposition, Excluded
from consumers.subscriptions.delivery import SQL, Delivery
from ecluse.bus.event import Event
from ecluse.core.db.databases import Databases
from ecluse.core.fhir import json, types
from ecluse.core.settings import Settings
from mappers.search.index import index_rows
from mappers.search.matches import matches

NEWS = ("", "replayed")
"""Reasons of events that tell something new; a replayed one could not be taken at first."""


class SubscriptionsSink:
    """The Sink of notifications."""

    name = "subscriptions"
    purpose = "care"
    every_version = True
    types = frozenset(types.number_of) - {"", "Subscription", "Binary"}

    def __init__(self, settings: Settings, databases: Databases) -> None:
        self._databases = databases
        hosts = frozenset(host.strip().lower() for host in settings.hook_hosts.split(",")) - {""}
        self._delivery = Delivery(databases.store, hosts)
        self._sending: asyncio.Task[None] | None = None

    @property
    def pool(self) -> asyncpg.Pool:
        """The store's database."""
        return self._databases.store

    async def open(self) -> None:
        """Begins to send what waits."""
        self._sending = asyncio.create_task(self._delivery.run())

    async def close(self) -> None:
        """Ends the sending; what was on its way is sent again by the next."""
        if self._sending is not None:
            self._sending.cancel()
            with suppress(asyncio.CancelledError):
                await self._sending

    def map(self, event: Event, resource: dict[str, Any], person: int | None) -> Excluded | None:
        """Nothing: whether somebody is notified is known when the Subscriptions are read, in the transaction."""
        if event.lane != "live" or event.reason not in NEWS:
            return Excluded("bulk" if event.lane != "live" else "sent again")
        return None

    async def write(self, conn: Any, changes: Sequence[Change]) -> Sequence[Disposition]:
        """Appends notifications, in the order of the changes."""
        for change in changes:
            if change.event.op == "erased":
                event = change.event
                await conn.execute(SQL["blank"], event.site, types.number_of[event.type], [event.id])
        news = [change for change in changes if not change.remove and change.resource is not None]
        numbers = {types.number_of[change.event.type] for change in news}
        for row in await conn.fetch(SQL["watching"], list(numbers)) if numbers else ():
            told = [change.event for change in news if _concerns(row, change)]
            if told:
                ids, versions = [event.id for event in told], [event.version for event in told]
                await conn.execute(SQL["notify"], row["pk"], row["site_number"], row["type"], ids, versions)
        return [MAPPED] * len(changes)

    async def committed(self) -> None:
        """There may be something to send."""
        self._delivery.wake()


def _concerns(row: asyncpg.Record, change: Change) -> bool:
    event = change.event
    if (row["site"], row["type"]) != (event.site, types.number_of[event.type]) or event.time < row["since"]:
        return False
    assert change.resource is not None
    rows = index_rows(event.type, change.resource)
    return matches(json.decode(row["condition"].encode()), event.id, rows)

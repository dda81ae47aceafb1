"""The consumer that notifies apps which speak no Kafka.

Enters: every version of every resource. Leaves: a numbered notification for each live create, update or delete that a
Subscription is about, in the transaction that stores the offset; delivery.py sends them. What is sent again (a walk, a
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
from consumers.subscriptions.concern import INTERACTIONS, SQL, Happening
from consumers.subscriptions.delivery import Delivery
from ecluse.bus.event import Event
from ecluse.core.db.databases import Databases
from ecluse.core.fhir import types
from ecluse.core.settings import Settings

NEWS = ("", "replayed")
"""Reasons of events that tell something new; a replayed one could not be taken at first."""


class SubscriptionsSink:
    """The Sink of notifications."""

    name = "subscriptions"
    purpose = "care"
    every_version = True
    several = False
    types = frozenset(types.number_of) - {"", "Subscription", "Binary"}

    def __init__(self, settings: Settings, databases: Databases) -> None:
        self._databases = databases
        hosts = frozenset(host.strip().lower() for host in settings.hook_hosts.split(",")) - {""}
        self._delivery = Delivery(databases.store, hosts, settings)
        self._sending: asyncio.Task[None] | None = None

    @property
    def pool(self) -> asyncpg.Pool:
        """The store's database."""
        return self._databases.store

    async def open(self, *, leads: bool = True) -> None:
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
        if not _is_news(event):
            return Excluded("bulk" if event.lane != "live" else "sent again")
        return None

    async def write(self, conn: Any, changes: Sequence[Change]) -> Sequence[Disposition]:
        """Appends notifications, in the order of the changes."""
        for change in changes:
            if change.event.op == "erased":
                event = change.event
                await conn.execute(SQL["blank"], event.site, types.number_of[event.type], [event.id])
        news = [_happening(conn, change) for change in changes if _tells(change)]
        numbers = {each.type for each in news}
        for row in await conn.fetch(SQL["watching"], list(numbers)) if numbers else ():
            if told := [each for each in news if await each.concerns(row)]:
                ids, versions = [each.event.id for each in told], [each.event.version for each in told]
                kinds = [each.type for each in told]
                await conn.execute(SQL["notify"], row["pk"], row["site_number"], kinds, ids, versions)
        return [MAPPED] * len(changes)

    async def committed(self) -> None:
        """There may be something to send."""
        self._delivery.wake()


def _is_news(event: Event) -> bool:
    return event.lane == "live" and event.reason in NEWS


def _tells(change: Change) -> bool:
    """Whether something is new: a content, or a delete; a content that this consumer may not see is none."""
    event = change.event
    gone = change.remove or change.resource is None
    return _is_news(event) and event.op in INTERACTIONS and gone == (event.op == "deleted")


def _happening(conn: Any, change: Change) -> Happening:
    return Happening(conn, change.event, change.resource)

"""The consumer that notifies apps which speak no Kafka.

Enters: every version of every resource. Leaves: a numbered notification for each live create, update or delete that a
Subscription is about, in the transaction that stores the offset; delivery.py sends them. What is sent again (a walk, a
remapping) or was loaded in bulk notifies nobody. An event of which a topic's criteria cannot tell whether it is meant
notifies nobody either; it is counted with its reason at the Subscription, and the others go on.
Spec: http://hl7.org/fhir/R4/subscription.html
"""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from contextlib import suppress
from typing import Any

import asyncpg

from consumers.sink import MAPPED, Change, Disposition, Excluded
from consumers.subscriptions.concern import INTERACTIONS, SQL, Happening, Undecided
from consumers.subscriptions.delivery import Delivery
from consumers.subscriptions.neighbours import Keys, Neighbours
from ecluse.bus.event import Event
from ecluse.bus.wakeup import NOTIFICATIONS, Notifier
from ecluse.core.db.databases import Databases
from ecluse.core.fhir import json, types
from ecluse.core.hosts import allowed_hosts
from ecluse.core.log import Log
from ecluse.core.settings import Settings
from mappers.subscriptions.bundle import EMPTY

log = Log("subscriptions")
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
        self._neighbours = Neighbours(settings, databases, self.name, self.purpose)
        self._delivery = Delivery(databases.store, allowed_hosts(settings.hook_hosts), settings)
        self._sending: asyncio.Task[None] | None = None
        self._sockets = Notifier(databases.store, NOTIFICATIONS)
        self._stop = asyncio.Event()
        self._waking: asyncio.Task[None] | None = None
        self._news_for_sockets = False

    @property
    def pool(self) -> asyncpg.Pool:
        """The store's database."""
        return self._databases.store

    async def open(self, *, leads: bool = True) -> None:
        """Begins to send what waits."""
        self._sending = asyncio.create_task(self._delivery.run())
        self._waking = asyncio.create_task(self._sockets.run(self._stop))

    async def close(self) -> None:
        """Ends the sending; what was on its way is sent again by the next."""
        self._stop.set()
        if self._waking is not None:
            await self._waking
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
            told, undecided = await _asked(news, row)
            if told:
                await self._notify(conn, row, told)
            if undecided:
                await _count(conn, row, undecided)
        return [MAPPED] * len(changes)

    async def _notify(self, conn: Any, row: asyncpg.Record, told: Sequence[Happening]) -> None:
        ids, versions = [each.event.id for each in told], [each.event.version for each in told]
        kinds, site = [each.type for each in told], row["site_number"]
        beside = [json.encode(await self._beside(conn, row, each)).decode() for each in told]
        await conn.execute(SQL["notify"], row["pk"], site, kinds, ids, versions, beside)
        self._news_for_sockets |= row["channel"] == "websocket"

    async def _beside(self, conn: Any, row: asyncpg.Record, happening: Happening) -> Keys:
        """What is sent beside an event; looked for once for all Subscriptions whose topics have the same shape."""
        if not row["topic"] or row["content"] == EMPTY:
            return []
        shape = json.decode(row["topic"].encode()).get("shapes", {}).get(happening.event.type)
        if not shape:
            return []
        asked = json.encode(shape)
        if asked not in happening.beside:
            happening.beside[asked] = await self._neighbours.of(conn, happening, row["site_number"], shape)
        return happening.beside[asked]

    async def committed(self) -> None:
        """There may be something to send, here or by the servers that hold websockets."""
        self._delivery.wake()
        if self._news_for_sockets:
            self._news_for_sockets = False
            self._sockets.touch()


async def _asked(news: Sequence[Happening], row: asyncpg.Record) -> tuple[list[Happening], list[tuple[Event, str]]]:
    """The events that concern a Subscription, and those that may, with what is in the way of telling."""
    told: list[Happening] = []
    undecided: list[tuple[Event, str]] = []
    for each in news:
        try:
            if await each.concerns(row):
                told.append(each)
        except Undecided as error:
            undecided.append((each.event, str(error)))
    return told, undecided


async def _count(conn: Any, row: asyncpg.Record, undecided: Sequence[tuple[Event, str]]) -> None:
    """Counts events that could not be decided, in the transaction that moves past them. The number of the last leads to
    it: what is told here must not outlive an erasure."""
    event, why = undecided[-1]
    await conn.execute(SQL["undecided"], row["pk"], len(undecided), f"the last {event.epoch}.{event.seq}, {why}")
    log.warning(
        "a topic's criteria cannot be evaluated",
        subscription=row["pk"],
        topic=row["about"],
        resource_type=event.type,
        count=len(undecided),
        reason=why,
    )


def _is_news(event: Event) -> bool:
    return event.lane == "live" and event.reason in NEWS


def _tells(change: Change) -> bool:
    """Whether something is new: a content, or a delete; a content that this consumer may not see is none."""
    event = change.event
    gone = change.remove or change.resource is None
    return _is_news(event) and event.op in INTERACTIONS and gone == (event.op == "deleted")


def _happening(conn: Any, change: Change) -> Happening:
    return Happening(conn, change.event, change.resource)

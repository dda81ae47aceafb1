"""Sends the notifications that wait, one task a Subscription, so that a slow hook holds up nobody else.

Enters: rows of fhir.notification. Leaves: requests to hooks, in order; the next number follows when the one before has
arrived. What does not arrive is tried again, for as long as it takes. Only the process that holds the consumer's lock
delivers; after a crash the notification that was on its way may arrive twice, under the same number.

An app that subscribed to a topic is asked first whether it listens (handshake), and told that all is well when there
has been nothing else to tell it (heartbeat).
"""

from __future__ import annotations

import asyncio
import ssl

import asyncpg
import httpx

from consumers.subscriptions.concern import SQL
from consumers.subscriptions.hook import Notification, Undelivered, send
from ecluse.core import clock, tracing
from ecluse.core.fhir import json, types
from ecluse.core.log import Log
from ecluse.core.settings import Settings
from ecluse.related import told
from mappers.subscriptions.bundle import Kind, Standing, message, notification

LOOK_S = 0.5
TIDY_S = 3600.0
FIRST_S, LONGEST_S = 0.25, 300.0

log = Log("subscriptions")


class Delivery:
    """The sending side of the consumer."""

    def __init__(self, pool: asyncpg.Pool, hosts: frozenset[str], settings: Settings) -> None:
        """hosts: that the operator allows."""
        self._pool = pool
        self._hosts = hosts
        self._settings = settings
        self._tidy_at = 0.0
        self._wake = asyncio.Event()
        self._sending: dict[int, asyncio.Task[None]] = {}

    async def run(self) -> None:
        """Sends until it is cancelled."""
        context = ssl.create_default_context()
        async with httpx.AsyncClient(verify=context, trust_env=False, follow_redirects=False) as client:
            try:
                while True:
                    await self._look(client)
                    self._wake.clear()
                    await self._woken()
            finally:
                for task in self._sending.values():
                    task.cancel()
                await asyncio.gather(*self._sending.values(), return_exceptions=True)

    def wake(self) -> None:
        """There may be something new to send."""
        self._wake.set()

    async def _woken(self) -> None:
        try:
            await asyncio.wait_for(self._wake.wait(), LOOK_S)
        except TimeoutError:
            return

    async def _look(self, client: httpx.AsyncClient) -> None:
        """Starts a task for each Subscription that has something to send and is not being served."""
        try:
            await self._tidy()
            await self._pool.execute(SQL["begin"])
            due = [row["pk"] for row in await self._pool.fetch(SQL["due"])]
        except (asyncpg.PostgresError, asyncpg.InterfaceError, OSError) as error:
            log.warning("subscriptions wait for the database", error=type(error).__name__)
            return
        for pk in due:
            if pk not in self._sending:
                task = asyncio.create_task(self._serve(client, pk))
                self._sending[pk] = task
                task.add_done_callback(lambda done, pk=pk: self._ended(pk, done))  # type: ignore[misc]

    def _ended(self, pk: int, task: asyncio.Task[None]) -> None:
        del self._sending[pk]
        if not task.cancelled() and (error := task.exception()) is not None:
            log.warning("a subscription is served again later", subscription=pk, error=type(error).__name__)

    async def _tidy(self) -> None:
        """Forgets what was delivered longer ago than events are kept."""
        if clock.monotonic() >= self._tidy_at:
            await self._pool.execute(SQL["forget"], self._settings.events_days)
            self._tidy_at = clock.monotonic() + TIDY_S

    async def _serve(self, client: httpx.AsyncClient, pk: int) -> None:
        """Sends what waits for one hook, until nothing does or one does not arrive."""
        while (row := await told.served(self._pool, pk)) is not None:
            shaking = bool(row["topic"]) and not row["shaken"]
            most = 0 if shaking else row["most"]
            found = await told.kept(self._pool, pk, row["delivered"] + 1, told.LAST, most)
            if not (found or shaking or (row["topic"] and row["quiet"])):
                return
            kind: Kind = "event-notification" if found else "handshake" if shaking else "heartbeat"
            number = found[-1]["number"] if found else 0
            try:
                with tracing.sending("notify", (each["traceparent"] for each in found)):
                    sent = await self._sent(row, kind, found, number)
                    await send(client, self._hosts, sent._replace(traceparent=_traceparent(found)))
            except Undelivered as error:
                delay_s = min(LONGEST_S, FIRST_S * 2 ** min(row["attempts"], 20))
                await self._pool.execute(SQL["failed"], pk, str(error), delay_s)
                return
            await told.arrived(self._pool, pk, number, row["delivered"])

    async def _sent(self, row: asyncpg.Record, kind: Kind, found: list[asyncpg.Record], number: int) -> Notification:
        headers = tuple(json.decode(row["headers"].encode()))
        if not row["topic"]:
            (one,) = found
            if not row["payload"] or one["body"] is None:
                return Notification(number, row["endpoint"], headers, None)
            place = f"{types.name_of[one['type']]}/{one['id']}"
            return Notification(number, row["endpoint"], headers, one["body"], "PUT", place)
        events = await told.events(self._pool, row["site_number"], row["content"], found)
        standing = self._standing(row, kind)
        bundle = notification(clock.new_id(), clock.now(), kind, standing, events)
        if row["channel"] == "message":
            bundle = message(clock.new_id(), clock.now(), standing, row["endpoint"], bundle)
        return Notification(number, row["endpoint"], headers, bundle, timeout_s=row["timeout_s"])

    def _standing(self, row: asyncpg.Record, kind: Kind) -> Standing:
        status = "requested" if kind == "handshake" else "active"
        base = self._settings.base(row["site"])
        return Standing(base, row["id"], row["topic"], status, row["last"], row["content"])


def _traceparent(found: list[asyncpg.Record]) -> str:
    """What the app can go on from: the span that tells it, or while traces are off the request that all is of."""
    requests = {each["traceparent"] for each in found}
    return tracing.carried() or (requests.pop() if len(requests) == 1 else "")

"""Sends the notifications that wait, one task a Subscription, so that a slow hook holds up nobody else.

Enters: rows of fhir.notification. Leaves: requests to hooks, in order; a number goes when its notification has arrived.
What does not arrive is tried again, for as long as it takes. Only the process that holds the consumer's lock delivers;
after a crash the notification that was on its way may arrive twice, under the same number.
"""

from __future__ import annotations

import asyncio
import ssl

import asyncpg
import httpx

from consumers.subscriptions.hook import Notification, Undelivered, send
from ecluse.core.db import queries
from ecluse.core.fhir import json, types
from ecluse.core.log import Log

SQL = queries.load(__package__, "subscriptions.sql")
AT_ONCE = 50
LOOK_S = 0.5
FIRST_S, LONGEST_S = 0.25, 300.0

log = Log("subscriptions")


class Delivery:
    """The sending side of the consumer."""

    def __init__(self, pool: asyncpg.Pool, hosts: frozenset[str]) -> None:
        """hosts: that the operator allows."""
        self._pool = pool
        self._hosts = hosts
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

    async def _serve(self, client: httpx.AsyncClient, pk: int) -> None:
        """Sends what waits for one hook, until nothing does or one does not arrive."""
        while rows := await self._pool.fetch(SQL["next"], pk, AT_ONCE):
            for row in rows:
                try:
                    await send(client, self._hosts, _notification(row))
                except Undelivered as error:
                    delay_s = min(LONGEST_S, FIRST_S * 2 ** min(row["attempts"], 20))
                    await self._pool.execute(SQL["failed"], pk, str(error), delay_s)
                    return
                await self._pool.execute(SQL["delivered"], pk, row["number"])


def _notification(row: asyncpg.Record) -> Notification:
    body = row["body"] if row["payload"] else None
    place = f"{types.name_of[row['type']]}/{row['id']}"
    return Notification(row["number"], row["endpoint"], tuple(json.decode(row["headers"].encode())), place, body)

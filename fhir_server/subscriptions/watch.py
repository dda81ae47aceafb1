"""What is new for Subscriptions by websocket, looked for once for all who listen in this process.

Enters: notifications of the consumer that appended something, and of $resend. Leaves: listeners woken whose
Subscriptions are not where they saw them. Looks only while somebody listens.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Iterable, Mapping
from contextlib import asynccontextmanager
from typing import NamedTuple

from ecluse.bus.backoff import Backoff
from ecluse.bus.wakeup import NOTIFICATIONS, Wakeup
from ecluse.core.log import Log
from fhir_server.server import Server
from fhir_server.subscriptions.taking import SQL

log = Log("websocket")
LOOK_S = 1.0
"""How soon a notification that was lost is made up for, and what nobody notifies of is seen: a Subscription ends."""
GATHER_S = 0.02
"""The least time between two looks: what is appended meanwhile is told together."""


class Far(NamedTuple):
    """How far a Subscription is. last, delivered: numbers of events; heartbeat_s: 0 for none"""

    last: int
    delivered: int
    heartbeat_s: int


class Listener:
    """One connection. seen: how far each of its Subscriptions was when it looked, by key"""

    def __init__(self, keys: Iterable[int]) -> None:
        self.keys = tuple(keys)
        self.seen: dict[int, Far] = {}
        self._woken = asyncio.Event()
        self._failed: Exception | None = None

    async def moved(self, timeout_s: float | None) -> None:
        """Returns when there may be something new, at the latest after timeout_s, None for never.

        Raises: what ended the looking"""
        try:
            async with asyncio.timeout(timeout_s):
                await self._woken.wait()
        except TimeoutError:
            return
        self._woken.clear()
        if self._failed is not None:
            raise self._failed

    def hear(self, far: Mapping[int, Far]) -> None:
        """Wakes it when one of its Subscriptions is not where it saw it."""
        if any(far.get(pk) != self.seen.get(pk) for pk in self.keys):
            self._woken.set()

    def fail(self, error: Exception) -> None:
        """Wakes it with what ended the looking."""
        self._failed = error
        self._woken.set()


class Watch:
    """One a process."""

    def __init__(self, server: Server, look_s: float = LOOK_S) -> None:
        self._server = server
        self._look_s = look_s
        self._listeners: set[Listener] = set()
        self._looking: asyncio.Task[None] | None = None

    @asynccontextmanager
    async def listening(self, keys: Iterable[int]) -> AsyncIterator[Listener]:
        """Looks for what is new of these Subscriptions while the context is open. keys: theirs"""
        listener = Listener(keys)
        self._listeners.add(listener)
        if self._looking is None:
            self._looking = asyncio.create_task(self._look())
        try:
            yield listener
        finally:
            self._listeners.discard(listener)
            if not self._listeners:
                looking, self._looking = self._looking, None
                looking.cancel()
                await asyncio.wait({looking})

    async def _look(self) -> None:
        wakeup, backoff = Wakeup(self._server.databases.store, NOTIFICATIONS), Backoff()
        try:
            while True:
                try:
                    far = await self._far()
                    for listener in self._listeners:
                        listener.hear(far)
                    await asyncio.sleep(GATHER_S)
                    await wakeup.wait(self._look_s)
                    backoff.reset()
                except Exception as error:
                    # Those who listen are told to come back; whoever comes finds the looking going on.
                    for listener in self._listeners:
                        listener.fail(error)
                    log.warning("what is new for websockets is not seen", error=type(error).__name__)
                    await asyncio.sleep(backoff.next_s())
        finally:
            await wakeup.close()

    async def _far(self) -> dict[int, Far]:
        keys = {pk for listener in self._listeners for pk in listener.keys}
        async with self._server.connection() as conn:
            return {pk: Far(*far) for pk, *far in await conn.fetch(SQL["moved"], list(keys))}

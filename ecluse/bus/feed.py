"""The end of the outbox, looked for once for all who follow it in this process.

Enters: notifications of writers. Leaves: the number up to which events can be read, told to everybody who waits for a
greater one. Looks only while somebody follows.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

from ecluse.bus.backoff import Backoff, transient
from ecluse.bus.outbox import Outbox
from ecluse.bus.wakeup import Wakeup
from ecluse.core.log import Log

log = Log("bus.feed")
LOOK_S = 1.0
"""How soon a notification that was lost is made up for."""
GATHER_S = 0.02
"""The least time between two looks: what is written meanwhile is told together."""
READERS = 2
"""How many followers read at once; the other connections of the process stay with those who write."""


class Feed:
    """One a process."""

    def __init__(self, pool: Any) -> None:
        """pool: the store's database"""
        self._pool = pool
        self._until = 0
        self._moved = asyncio.Event()
        self._failed: Exception | None = None
        self._looking: asyncio.Task[None] | None = None
        self.followers = 0
        self.reading = asyncio.Semaphore(READERS)

    @asynccontextmanager
    async def followed(self) -> AsyncIterator[None]:
        """Looks for the end while the context is open."""
        self.followers += 1
        if self._looking is None:
            self._failed = None
            self._looking = asyncio.create_task(self._look())
        try:
            yield
        finally:
            self.followers -= 1
            if not self.followers:
                looking, self._looking = self._looking, None
                looking.cancel()
                await asyncio.wait({looking})

    async def beyond(self, seq: int) -> int:
        """The end, as soon as it lies behind this number; only while it is followed.

        Raises: what ended the looking"""
        while self._until <= seq:
            if self._failed is not None:
                raise self._failed
            await self._moved.wait()
        return self._until

    async def _look(self) -> None:
        outbox, wakeup, backoff = Outbox(self._pool), Wakeup(self._pool), Backoff()
        try:
            while True:
                try:
                    self._tell(await outbox.settle())
                    await asyncio.sleep(GATHER_S)
                    await wakeup.wait(LOOK_S)
                    backoff.reset()
                except Exception as error:
                    if not transient(error):
                        self._failed = error
                        self._wake()
                        return
                    outbox.forget()
                    log.warning("the end of the outbox is not seen", error=type(error).__name__)
                    await asyncio.sleep(backoff.next_s())
        finally:
            await wakeup.close()

    def _tell(self, until: int | None) -> None:
        if until is not None:
            self._until = until
            self._wake()

    def _wake(self) -> None:
        """Whoever waits looks again; who waits later waits for the next time."""
        moved, self._moved = self._moved, asyncio.Event()
        moved.set()

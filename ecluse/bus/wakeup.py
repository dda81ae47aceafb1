"""Waking readers soon after a commit.

Enters: `touch()` after a write is committed. Leaves: a PostgreSQL notification that readers wait for, on the channel of
what was written: the outbox, or what Subscriptions are to tell. It travels on a connection of its own: NOTIFY inside a
writing transaction takes a lock that serialises all commits. It may be lost; readers look by themselves, those of the
outbox five times a second.
"""

from __future__ import annotations

import asyncio
from typing import Any

import asyncpg

from ecluse.bus.backoff import transient
from ecluse.core import clock

OUTBOX, NOTIFICATIONS = "ecluse_outbox", "ecluse_notification"
POLL_S = 0.2
REOPEN_S = 2.0


class Notifier:
    """Tells the readers, at most once in `interval_s`, that something was committed."""

    def __init__(self, pool: Any, channel: str = OUTBOX, interval_s: float = 0.005) -> None:
        self._pool = pool
        self._channel = channel
        self._interval_s = interval_s
        self._touched = asyncio.Event()

    def touch(self) -> None:
        """Something was committed. Costs nothing; call it after the commit."""
        self._touched.set()

    async def run(self, stop: asyncio.Event) -> None:
        """Notifies until `stop` is set."""
        stopped = asyncio.ensure_future(stop.wait())
        try:
            while not stop.is_set():
                touched = asyncio.ensure_future(self._touched.wait())
                await asyncio.wait({touched, stopped}, return_when=asyncio.FIRST_COMPLETED)
                touched.cancel()
                if self._touched.is_set():
                    self._touched.clear()
                    await self._notify()
                    await asyncio.sleep(self._interval_s)
        finally:
            stopped.cancel()

    async def _notify(self) -> None:
        try:
            await self._pool.execute(f"NOTIFY {self._channel}")
        except Exception as error:
            if not transient(error):
                raise
            # Readers poll; a lost notification costs them at most POLL_S.
            await asyncio.sleep(POLL_S)


class Wakeup:
    """Waits for the notification, or for the next look."""

    def __init__(self, pool: Any, channel: str = OUTBOX) -> None:
        self._pool = pool
        self._channel = channel
        self._conn: Any = None
        self._heard = asyncio.Event()
        self._reopen_at = 0.0

    async def wait(self, timeout_s: float = POLL_S) -> None:
        """Returns when notified, at the latest after timeout_s."""
        await self._listen()
        try:
            await asyncio.wait_for(self._heard.wait(), timeout_s)
        except TimeoutError:
            return
        self._heard.clear()

    async def close(self) -> None:
        """Gives the listening connection back."""
        conn, self._conn = self._conn, None
        if conn is None:
            return
        try:
            if not conn.is_closed():
                await conn.remove_listener(self._channel, self._on_notify)
            await self._pool.release(conn)
        except (asyncpg.PostgresError, asyncpg.InterfaceError, OSError):
            # The pool or the connection is gone, and the listening with it.
            return

    async def _listen(self) -> None:
        if (self._conn is not None and not self._conn.is_closed()) or clock.monotonic() < self._reopen_at:
            return
        self._reopen_at = clock.monotonic() + REOPEN_S
        try:
            if self._conn is not None:
                await self.close()
            self._conn = await self._pool.acquire(timeout=REOPEN_S)
            await self._conn.add_listener(self._channel, self._on_notify)
        except Exception as error:
            if not transient(error):
                raise

    def _on_notify(self, *_: object) -> None:
        self._heard.set()

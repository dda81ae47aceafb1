"""The right to relay: one process has it.

Enters: the store's database. Leaves: a generation. A relay that died is followed at once, because its lock ended with
its connection; one that was stopped is followed when its lease has run out, and finds another generation when it
wakes up.
"""

from __future__ import annotations

import asyncio
from typing import Any

from ecluse.bus.backoff import pause
from ecluse.core.db import queries
from ecluse.core.errors import Fenced

SQL = queries.load(__package__, "relay.sql")
LEASE_S = 8.0
RENEW_S = 2.0
STANDBY_S = 0.5
FENCED = "Another relay has taken over; this one stops."


class Lease:
    """The right of this process; `generation` is 0 before it has it."""

    def __init__(self, pool: Any) -> None:
        self._pool = pool
        self.generation = 0

    async def take(self, conn: Any, stop: asyncio.Event) -> bool:
        """True once this process may relay, False when `stop` came first. conn: is kept open for as long."""
        while not stop.is_set():
            self.generation = await self._try(conn) or 0
            if self.generation:
                await conn.fetchval(SQL["holds"], self.generation)
                return True
            await pause(stop, STANDBY_S)
        return False

    async def _try(self, conn: Any) -> int | None:
        held = await conn.fetchrow(SQL["lease"])
        if held is None:
            return await self._value(conn, "first_lease", LEASE_S)
        if held["expired"] or await conn.fetchval(SQL["holds"], held["generation"]):
            return await self._value(conn, "take_lease", held["generation"], LEASE_S)
        return None

    async def check(self) -> None:
        """Renews the lease.

        Raises: Fenced (503) when another process has it
        """
        if await self._value(self._pool, "renew_lease", self.generation, LEASE_S) is None:
            raise Fenced(FENCED)

    async def keep(self) -> None:
        """Renews the lease until cancelled.

        Raises: Fenced (503) when another process has it
        """
        while True:
            await asyncio.sleep(RENEW_S)
            await self.check()

    async def _value(self, source: Any, query: str, *values: object) -> int | None:
        value: int | None = await source.fetchval(SQL[query], *values)
        return value

"""Keys of resources and writes, taken from the database in blocks.

Enters: how many are needed. Leaves: bigints that no other process gets. A key tells the order of creation within one
process; gaps are harmless."""

from __future__ import annotations

import asyncio

from ecluse.core.db.pool import Connection

BLOCK = 4096


class Keys:
    """The blocks of one process: a key costs no round trip, a block costs one."""

    def __init__(self) -> None:
        self._next = 0
        self._end = 0
        self._lock = asyncio.Lock()

    async def take(self, conn: Connection, count: int) -> list[int]:
        """count new keys, ascending."""
        keys: list[int] = []
        while len(keys) < count:
            if self._next == self._end:
                await self._refill(conn)
            taken = min(count - len(keys), self._end - self._next)
            keys.extend(range(self._next, self._next + taken))
            self._next += taken
        return keys

    async def _refill(self, conn: Connection) -> None:
        async with self._lock:
            if self._next == self._end:
                block = await conn.fetchval("SELECT nextval('fhir.key_block')")
                self._next, self._end = block * BLOCK, (block + 1) * BLOCK

"""A restored database begins a new epoch; the events written before keep theirs."""

from __future__ import annotations

import asyncpg

from ecluse.bus import epoch
from ecluse.bus.outbox import Outbox
from tests.integration.bus.store import Put, put


async def test_the_same_database_stays_in_its_epoch(pool: asyncpg.Pool) -> None:
    async with pool.acquire() as conn:
        assert [await epoch.settle(conn) for _ in range(3)] == [1, 1, 1]


async def test_another_cluster_or_timeline_raises_it(pool: asyncpg.Pool) -> None:
    async with pool.acquire() as conn:
        await put(conn, [Put("Patient", "before", {})])
        await conn.execute("UPDATE bus.epoch SET system_identifier = '1'")
        assert await epoch.settle(conn) == 2
        await conn.execute("UPDATE bus.epoch SET timeline = 99 WHERE epoch = 2")
        assert await epoch.settle(conn) == 3
        await put(conn, [Put("Patient", "after", {})])
        outbox = Outbox(pool)
        read = await outbox.read(0, await outbox.settle() or 0, 0, 10, 1_000_000)
        assert [(item.event.id, item.event.epoch) for item in read.sent] == [("before", 1), ("after", 3)]
        assert await epoch.current(conn) == 3

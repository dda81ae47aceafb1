"""Work that goes on beside the requests: again and again, by one process at a time, without haste."""

from __future__ import annotations

import asyncio

import asyncpg
import pytest

from ecluse.core.db.pool import open_pool
from ecluse.core.db.upkeep import only_one, repeated, unhurried
from ecluse.core.errors import NotFound

LOCK = 0x5445_5354


async def test_work_goes_on_after_the_database_was_away_and_ends_with_other_errors() -> None:
    outcomes: list[Exception | None] = [None, ConnectionRefusedError(), asyncpg.CannotConnectNowError(), NotFound("x")]

    async def work() -> None:
        if error := outcomes.pop(0):
            raise error

    with pytest.raises(NotFound):
        await asyncio.wait_for(repeated(work, 0.0), 5)
    assert outcomes == []


async def test_one_of_two_connections_works_and_the_other_may_when_it_has_ended(database: str) -> None:
    pool = await open_pool(database, size=2, statement_timeout_ms=60_000)
    async with pool.acquire() as first, pool.acquire() as second:
        async with only_one(first, LOCK) as alone:
            assert alone
            async with only_one(second, LOCK) as too, only_one(second, LOCK + 1) as other_work:
                assert (too, other_work) == (False, True)
        with pytest.raises(NotFound):
            async with only_one(second, LOCK) as alone:
                assert alone
                raise NotFound("x")
        async with only_one(first, LOCK) as alone:
            assert alone
    await pool.close()


async def test_a_statement_may_take_long_until_the_block_ends(database: str) -> None:
    pool = await open_pool(database, size=1, statement_timeout_ms=1234)
    async with pool.acquire() as conn:
        async with unhurried(conn):
            assert await conn.fetchval("SHOW statement_timeout") == "0"
        assert await conn.fetchval("SHOW statement_timeout") == "1234ms"
    await pool.close()

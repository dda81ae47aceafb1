"""Which of a consumer's processes leads, and what becomes of one that was stopped in its turn."""

from __future__ import annotations

import asyncio
from contextlib import suppress

import asyncpg
import pytest

from consumers import offsets, place
from consumers.offsets import Offsets
from ecluse.bus.backoff import transient
from tests.integration.consumers.given import until

CONSUMER = "recording"
WAITING = "SELECT count(*) FROM pg_locks WHERE NOT granted AND locktype = 'advisory'"


async def _never() -> bool:
    return False


async def _always() -> bool:
    return True


async def test_the_first_leads_the_second_joins_or_stands_by(pool: asyncpg.Pool, database: str) -> None:
    stop = asyncio.Event()
    first, second, third = [await asyncpg.connect(database) for _ in range(3)]
    assert await place.take(first, CONSUMER, _always, stop) is True
    assert await place.take(second, CONSUMER, _always, stop) is False
    standing_by = asyncio.create_task(place.take(third, CONSUMER, _never, stop))
    with pytest.raises(TimeoutError):
        await asyncio.wait_for(asyncio.shield(standing_by), 1.5)
    assert await place.processes(pool, CONSUMER) == 3
    assert await place.processes(pool, "another") == 0
    stop.set()
    assert await standing_by is None
    for conn in (first, second, third):
        await conn.close()

    async def none_left() -> bool:
        return await place.processes(pool, CONSUMER) == 0

    await until(none_left)


async def test_whoever_finds_that_nobody_leads_begins_again_and_leads(pool: asyncpg.Pool) -> None:
    stop, over, of_leader = asyncio.Event(), asyncio.Event(), asyncio.Event()
    async with pool.acquire() as second:
        async with pool.acquire() as first:
            assert await place.take(first, CONSUMER, _always, stop) is True
            assert await place.take(second, CONSUMER, _always, stop) is False
            keeping = asyncio.create_task(place.keep(second, CONSUMER, False, stop, over))
            leading = asyncio.create_task(place.keep(first, CONSUMER, True, stop, of_leader))
            await asyncio.sleep(2.5)
            assert not over.is_set()
            assert not of_leader.is_set()
            await pool.execute("SELECT pg_terminate_backend($1)", first.get_server_pid())
            await asyncio.wait_for(of_leader.wait(), 30)
            await asyncio.wait_for(over.wait(), 30)
            await asyncio.gather(keeping, leading)
        assert await place.take(second, CONSUMER, _never, stop) is True


async def test_a_stop_ends_the_place_at_once(pool: asyncpg.Pool) -> None:
    stop, over = asyncio.Event(), asyncio.Event()
    async with pool.acquire() as conn:
        await place.take(conn, CONSUMER, _never, stop)
        keeping = asyncio.create_task(place.keep(conn, CONSUMER, True, stop, over))
        stop.set()
        await asyncio.wait_for(keeping, 30)
        assert over.is_set()


async def test_writes_of_one_consumer_take_turns(pool: asyncpg.Pool) -> None:
    told: list[str] = []
    ours = Offsets(pool, CONSUMER, 1)
    async with pool.acquire() as first, pool.acquire() as second:
        async with first.transaction():
            await ours.turn(first, several=True)

            async def write() -> None:
                async with second.transaction():
                    await ours.turn(second, several=True)
                    told.append("second")

            writing = asyncio.create_task(write())

            async def waits() -> bool:
                return bool(
                    await pool.fetchval("SELECT count(*) FROM pg_locks WHERE NOT granted AND locktype = 'advisory'")
                )

            await until(waits, writing)
            async with pool.acquire() as other, other.transaction():
                await Offsets(pool, "another", 1).turn(other, several=True)
            told.append("first")
        await writing
    assert told == ["first", "second"]


async def test_a_process_that_was_stopped_in_its_turn_loses_it(
    pool: asyncpg.Pool, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(offsets, "STOPPED", "200ms")
    ours = Offsets(pool, CONSUMER, 1)
    async with pool.acquire() as stopped:
        with suppress(asyncpg.PostgresError, asyncpg.InterfaceError):
            async with stopped.transaction():
                await ours.turn(stopped, several=True)
                async with pool.acquire() as other, other.transaction():
                    await asyncio.wait_for(ours.turn(other, several=True), 30)
                with pytest.raises((asyncpg.PostgresError, asyncpg.InterfaceError)) as failed:
                    await stopped.execute("SELECT 1")
                assert transient(failed.value)


async def test_one_that_writes_alone_may_be_silent_for_as_long_as_its_session(pool: asyncpg.Pool) -> None:
    async with pool.acquire() as conn, conn.transaction():
        await conn.execute("SET LOCAL idle_in_transaction_session_timeout = '7min'")
        shown = "SHOW idle_in_transaction_session_timeout"
        await Offsets(pool, CONSUMER, 1).turn(conn, several=False)
        assert await conn.fetchval(shown) == "7min"
        await Offsets(pool, CONSUMER, 1).turn(conn, several=True)
        assert await conn.fetchval(shown) == "1min"

"""The outbox has partitions ahead of its writers and none behind its readers."""

from __future__ import annotations

import asyncpg

from ecluse.bus.outbox import SQL
from ecluse.bus.partitions import SIZE, Limits, size, upkeep
from tests.integration.bus.store import Put, put


async def _lows(pool: asyncpg.Pool) -> list[int]:
    return [row["low"] // SIZE for row in await pool.fetch(SQL["partitions"])]


async def test_two_partitions_stand_ahead_of_the_last_number(pool: asyncpg.Pool) -> None:
    assert await _lows(pool) == [0, 1, 2]
    await pool.execute("SELECT setval('bus.outbox_seq', $1)", SIZE + 5)
    await upkeep(pool)
    assert await _lows(pool) == [0, 1, 2, 3]
    await pool.execute("SELECT setval('bus.outbox_seq', $1)", 3 * SIZE + 5)
    async with pool.acquire() as conn:
        ((seq, _),) = await put(conn, [Put("Patient", "p", {})])
    assert seq == 3 * SIZE + 6


async def test_a_writer_is_not_locked_out_while_partitions_are_added(pool: asyncpg.Pool) -> None:
    await pool.execute("SELECT setval('bus.outbox_seq', $1)", SIZE + 5)
    async with pool.acquire() as conn, conn.transaction():
        await put(conn, [Put("Patient", "p", {})])
        await upkeep(pool)
        await put(conn, [Put("Patient", "q", {})])
    assert await _lows(pool) == [0, 1, 2, 3]


async def test_a_partition_goes_when_every_reader_has_passed_it(pool: asyncpg.Pool) -> None:
    await pool.execute("SELECT setval('bus.outbox_seq', $1)", 2 * SIZE + 5)
    await upkeep(pool)
    assert await _lows(pool) == [0, 1, 2, 3, 4]
    await pool.execute(SQL["report_cursor"], "quick", 0, 2 * SIZE + 5, False)
    await pool.execute(SQL["report_cursor"], "slow", 0, SIZE - 2, False)
    await upkeep(pool)
    assert await _lows(pool) == [0, 1, 2, 3, 4]
    await pool.execute(SQL["report_cursor"], "slow", 0, SIZE, False)
    await upkeep(pool)
    assert await _lows(pool) == [1, 2, 3, 4]


async def test_dropping_waits_for_the_next_time_when_a_writer_is_busy(pool: asyncpg.Pool) -> None:
    await pool.execute("SELECT setval('bus.outbox_seq', $1)", SIZE + 5)
    await pool.execute(SQL["report_cursor"], "reader", 0, SIZE + 1, False)
    async with pool.acquire() as conn, conn.transaction():
        await put(conn, [Put("Patient", "p", {})])
        await upkeep(pool)
        assert 0 in await _lows(pool)
        await put(conn, [Put("Patient", "q", {})])
    await upkeep(pool)
    assert 0 not in await _lows(pool)


async def _passed_and_unread(pool: asyncpg.Pool) -> None:
    """One partition with an event that every reader has passed, one with an event that a reader has not read."""
    async with pool.acquire() as conn:
        await put(conn, [Put("Patient", "passed", {})])
        await conn.execute("SELECT setval('bus.outbox_seq', $1)", SIZE + 5)
        await put(conn, [Put("Patient", "unread", {})])
        await conn.execute("SELECT setval('bus.outbox_seq', $1)", 2 * SIZE + 5)
    await pool.execute(SQL["report_cursor"], "quick", 0, 2 * SIZE + 5, False)
    await pool.execute(SQL["report_cursor"], "slow", 0, SIZE + 2, False)


async def test_what_every_reader_has_passed_is_kept_for_its_time(pool: asyncpg.Pool) -> None:
    await _passed_and_unread(pool)
    await upkeep(pool, Limits(days=7))
    assert (await _lows(pool))[0] == 0
    await pool.execute("UPDATE fhir.version SET updated = updated - interval '10000 days'")
    await upkeep(pool, Limits(days=7))
    assert (await _lows(pool))[0] == 1


async def test_over_the_budget_events_go_early_and_those_unread_stay_and_are_told(pool: asyncpg.Pool) -> None:
    await _passed_and_unread(pool)
    await pool.execute("UPDATE fhir.version SET updated = now()")
    assert await upkeep(pool, Limits(days=7)) is None
    over = await upkeep(pool, Limits(days=7, budget_bytes=1))
    assert (await _lows(pool))[0] == 1
    assert over is not None
    assert (over.slowest, over.seq) == ("slow", SIZE + 2)
    assert over.bytes > 1


async def test_over_the_budget_readers_that_can_begin_anew_are_left_behind(pool: asyncpg.Pool) -> None:
    await _passed_and_unread(pool)
    await pool.execute(SQL["report_cursor"], "slow", 0, 0, True)
    await pool.execute(SQL["report_cursor"], "slower", 0, 5, True)
    await upkeep(pool, Limits(budget_bytes=1 << 40))
    assert (await _lows(pool))[0] == 0, "within the budget everybody is waited for"
    assert await upkeep(pool, Limits(budget_bytes=1)) is not None
    assert (await _lows(pool))[0] == 2
    assert not await pool.fetchval(SQL["lost"], "quick")
    assert await pool.fetchval(SQL["lost"], "slow")
    assert await pool.fetchval(SQL["lost"], "slower")
    told = await size(pool)
    assert (told.slowest, list(told.lost)) == ("quick", ["slow", "slower"])


async def test_a_reader_that_cannot_begin_anew_is_never_left_behind(pool: asyncpg.Pool) -> None:
    await _passed_and_unread(pool)
    await pool.execute(SQL["report_cursor"], "notifies", 0, SIZE + 1, False)
    await pool.execute(SQL["report_cursor"], "slow", 0, SIZE + 1, True)
    over = await upkeep(pool, Limits(budget_bytes=1))
    assert (await _lows(pool))[0] == 1
    assert over is not None
    assert (over.slowest, list(over.lost)) == ("notifies", [])


async def test_what_all_were_left_behind_by_goes(pool: asyncpg.Pool) -> None:
    await _passed_and_unread(pool)
    await pool.execute("UPDATE bus.cursor SET renewable = true")
    await pool.execute("UPDATE bus.cursor SET seq = 1")
    await upkeep(pool, Limits(budget_bytes=1))
    assert (await _lows(pool))[0] == 2
    assert list((await size(pool)).lost) == ["quick", "slow"]

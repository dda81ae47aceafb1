"""A consumer whose log cannot tell it everything walks through the store, and ends where the log would have."""

from __future__ import annotations

import asyncio
import dataclasses

import asyncpg
import pytest

from consumers import ledger
from consumers.lag import lag
from consumers.offsets import Offsets
from consumers.resync import Resync, progress, request
from ecluse.bus import epoch
from ecluse.bus.embedded import EmbeddedLog
from ecluse.bus.log import Batch
from ecluse.bus.outbox import SQL
from ecluse.bus.partitions import SIZE, Limits, upkeep
from ecluse.core.db.databases import Databases
from ecluse.core.errors import Fenced
from ecluse.core.settings import Settings
from tests.integration.bus.store import Put, put
from tests.integration.consumers.given import batch, event, runner, until
from tests.integration.consumers.recording import RecordingSink, rows


def observation(resource_id: str, text: str | None) -> Put:
    return Put("Observation", resource_id, None if text is None else {"text": text}, "p")


async def _consume_until(pool: asyncpg.Pool, sink: RecordingSink, wanted: list[tuple[str, str]]) -> None:
    """Resynchronises as a start does, then consumes until these rows stand in the sink."""
    stop = asyncio.Event()
    async with pool.acquire() as conn:
        present = await epoch.settle(conn)
    resync = Resync(sink, pool, present, embedded=True)
    await resync.begin()
    running = runner(sink, pool, resync=resync)
    task = asyncio.create_task(running.run(stop))

    async def done() -> bool:
        over = await progress(pool, sink.name) is None
        return over and [(row[1], row[4]) for row in await rows(pool)] == wanted

    await until(done, task)
    stop.set()
    await task


async def test_a_new_consumer_of_a_shortened_outbox_gets_everything(pool: asyncpg.Pool, sink: RecordingSink) -> None:
    async with pool.acquire() as conn:
        await put(conn, [observation(f"o{n}", f"old{n}") for n in range(3)])
        await put(conn, [observation("o1", None)])
        await conn.execute("SELECT setval('bus.outbox_seq', $1)", SIZE + 10)
        await conn.execute(SQL["report_cursor"], "another", 0, SIZE + 10, False)
        await upkeep(pool)
        assert await pool.fetchval("SELECT count(*) FROM bus.outbox") == 0
        await put(conn, [observation("o2", "new")])
    await _consume_until(pool, sink, [("o0", "old0"), ("o2", "new")])
    books = await ledger.books(pool, pool, sink.name, sink.types)
    assert (books.received, books.mapped, books.removed, books.balanced) == (3, 2, 1, True)


async def test_a_restored_store_takes_back_what_it_no_longer_has(pool: asyncpg.Pool, sink: RecordingSink) -> None:
    async with pool.acquire() as conn:
        await put(conn, [observation("kept", "a"), observation("changed", "a")])
        await put(conn, [observation("changed", "after the backup"), observation("lost", "after the backup")])
        wanted = [("changed", "after the backup"), ("kept", "a"), ("lost", "after the backup")]
        await _consume_until(pool, sink, wanted)
        # What a restore to the point before the second transaction leaves.
        await conn.execute("DELETE FROM bus.outbox WHERE seq > 2")
        await conn.execute("SELECT setval('bus.outbox_seq', 2)")
        await conn.execute("DELETE FROM fhir.version WHERE version = 2")
        await conn.execute("DELETE FROM fhir.resource WHERE id = 'lost'")
        await conn.execute("UPDATE fhir.resource SET version = 1")
        await conn.execute("UPDATE bus.cursor SET seq = 2")
        await conn.execute("UPDATE bus.epoch SET system_identifier = 'another cluster'")
        await epoch.settle(conn)
        await put(conn, [observation("new", "after the restore")])
    await _consume_until(pool, sink, [("changed", "a"), ("kept", "a"), ("new", "after the restore")])
    books = await ledger.books(pool, pool, sink.name, sink.types)
    assert (books.received, books.mapped, books.removed, books.balanced) == (4, 3, 1, True)
    async with pool.acquire() as conn:
        await put(conn, [observation("lost", "again")])
    wanted = [("changed", "a"), ("kept", "a"), ("lost", "again"), ("new", "after the restore")]
    await _consume_until(pool, sink, wanted)
    books = await ledger.books(pool, pool, sink.name, sink.types)
    assert (books.received, books.mapped, books.removed, books.balanced) == (4, 4, 0, True)


async def test_a_walk_that_was_broken_off_goes_on(pool: asyncpg.Pool, sink: RecordingSink) -> None:
    async with pool.acquire() as conn:
        await put(conn, [observation(f"o{n}", "a") for n in range(5)])
        await conn.execute(SQL["report_cursor"], sink.name, 0, 0, False)
    taken: list[int] = []

    async def broken_off(batch: Batch) -> bool:
        taken.append(len(batch.records))
        return False

    resync = Resync(sink, pool, 1, embedded=False)
    await resync.begin()
    assert await resync.step(broken_off)
    assert await pool.fetchval("SELECT walking FROM bus.consumer")
    settings = Settings()
    databases = Databases(pool, pool, pool, pool, pool)
    assert not (await lag(settings, databases, sink)).caught_up
    await _consume_until(pool, sink, [(f"o{n}", "a") for n in range(5)])
    assert taken == [5]
    assert not await pool.fetchval("SELECT walking FROM bus.consumer")


async def test_lag_counts_what_is_not_written_and_how_old_it_is(pool: asyncpg.Pool, sink: RecordingSink) -> None:
    databases = Databases(pool, pool, pool, pool, pool)
    settings = Settings()
    async with pool.acquire() as conn:
        await put(conn, [observation(f"o{n}", "a") for n in range(3)])
        await put(conn, [observation("history", "a")], lane=1)
        await put(conn, [Put("Practitioner", "of no interest", {})])
        await conn.execute("UPDATE fhir.version SET updated = updated - interval '90 s'")
    behind = await lag(settings, databases, sink)
    assert behind.events == 4
    assert 90 <= behind.seconds < 120
    await _consume_until(pool, sink, [("history", "a"), ("o0", "a"), ("o1", "a"), ("o2", "a")])
    assert [part[:2] for part in behind.parts] == [(0, 3), (1, 1)]
    assert await lag(settings, databases, sink) == (sink.name, 0, 0.0, ((0, 0, 0.0), (1, 0, 0.0)))


async def test_lag_on_kafka_counts_what_the_relay_still_has(
    pool: asyncpg.Pool, sink: RecordingSink, on_kafka: Settings
) -> None:
    async with pool.acquire() as conn:
        await put(conn, [observation("o", "a"), observation("q", "a")])
    databases = Databases(pool, pool, pool, pool, pool)
    assert (await lag(dataclasses.replace(on_kafka), databases, sink)).events == 2


async def test_a_consumer_is_filled_anew_beside_what_is_live(pool: asyncpg.Pool, sink: RecordingSink) -> None:
    async with pool.acquire() as conn:
        await put(conn, [observation(f"o{n}", "a") for n in range(2500)])
        await put(conn, [observation("o7", None)])
    wanted = sorted((f"o{n}", "a") for n in range(2500) if n != 7)
    assert not await request(pool, sink.name), "it has never run"
    await _consume_until(pool, sink, wanted)
    await pool.execute("UPDATE recording.row SET text = 'spoilt' WHERE id < 'o2'")
    await pool.execute("DELETE FROM recording.row WHERE id > 'o5'")
    assert await request(pool, sink.name)
    assert not await request(pool, sink.name), "one is under way"
    async with pool.acquire() as conn:
        await put(conn, [observation("o1", "live"), observation("new", "live")])
    wanted = sorted([*((one, text) for one, text in wanted if one != "o1"), ("o1", "live"), ("new", "live")])
    await _consume_until(pool, sink, wanted)
    books = await ledger.books(pool, pool, sink.name, sink.types)
    assert (books.received, books.mapped, books.removed, books.balanced) == (2501, 2500, 1, True)


class _EveryVersion(RecordingSink):
    every_version = True


async def test_a_walk_does_not_overtake_versions_that_are_still_to_come(pool: asyncpg.Pool) -> None:
    sink = _EveryVersion(pool)
    await sink.open()
    async with pool.acquire() as conn:
        present = await epoch.settle(conn)
        for number in range(3):
            await put(conn, [observation("o", f"text {number}")])
    resync = Resync(sink, pool, present, embedded=False)  # a topic may hold less than the store, so it walks first
    await resync.begin()
    stop = asyncio.Event()
    running = runner(sink, pool, resync=resync)
    while await progress(pool, sink.name) is not None:
        await resync.step(lambda walked: running.take(walked, stop))
    task = asyncio.create_task(running.run(stop))

    async def done() -> bool:
        return [row[4] for row in await rows(pool)] == ["text 2"] and await _written(pool) == [3, 1, 2, 3]

    await until(done, task)
    stop.set()
    await task
    books = await ledger.books(pool, pool, sink.name, sink.types)
    assert (books.mapped, books.balanced) == (1, True)


async def test_a_record_that_comes_twice_is_one_of_every_version(pool: asyncpg.Pool) -> None:
    sink = _EveryVersion(pool)
    await sink.open()
    running, stop = runner(sink, pool), asyncio.Event()
    for version in (1, 1, 2, 2, 1):
        assert await running.take(batch([event("o", version, f"text {version}")]), stop)
    assert await _written(pool) == [1, 2]


async def _written(pool: asyncpg.Pool) -> list[int]:
    return [row["version"] for row in await pool.fetch("SELECT version FROM recording.write ORDER BY at")]


async def test_a_consumer_that_was_left_behind_gets_everything_from_the_store(
    pool: asyncpg.Pool, sink: RecordingSink
) -> None:
    async with pool.acquire() as conn:
        await put(conn, [observation(f"o{n}", "a") for n in range(3)])
    await _consume_until(pool, sink, [(f"o{n}", "a") for n in range(3)])
    async with pool.acquire() as conn:
        await put(conn, [observation("o1", None), observation("o2", "missed")])
        await conn.execute("SELECT setval('bus.outbox_seq', $1)", SIZE + 10)
        await upkeep(pool, Limits(budget_bytes=1))
        assert await pool.fetchval("SELECT count(*) FROM bus.outbox") == 0
        await put(conn, [observation("o3", "later")])
    reading = EmbeddedLog(pool, sink.name, sorted(sink.types))
    with pytest.raises(Fenced):
        await reading.open(Offsets(pool, sink.name, 1).claim)
    await _consume_until(pool, sink, [("o0", "a"), ("o2", "missed"), ("o3", "later")])
    assert not await pool.fetchval(SQL["lost"], sink.name)


async def test_a_consumer_finds_out_while_it_runs(pool: asyncpg.Pool, sink: RecordingSink) -> None:
    async with pool.acquire() as conn:
        await put(conn, [observation("o", "a")])
    running = asyncio.create_task(runner(sink, pool).run(asyncio.Event()))

    async def begun() -> bool:
        return bool(await pool.fetchval("SELECT count(*) FROM bus.cursor WHERE name = $1", sink.name))

    await until(begun, running)
    await pool.execute(SQL["lose"], sink.name)
    with pytest.raises(Fenced):
        await asyncio.wait_for(running, 30)

"""Members of a group come and go; the positions in the sink's database decide what is read next."""

from __future__ import annotations

import asyncio

import asyncpg
import pytest

from consumers.lag import lag
from consumers.prepare import Follow
from ecluse.bus.kafka import KafkaLog
from ecluse.bus.log import Reference
from ecluse.core.db.databases import Databases
from ecluse.core.errors import Fenced
from ecluse.core.settings import Settings
from tests.integration.bus.store import Put, put
from tests.integration.bus.test_topic_contract import relaying, sent
from tests.integration.consumers.given import runner, until
from tests.integration.consumers.recording import RecordingSink, rows

pytestmark = pytest.mark.kafka


async def _no_reference(reference: Reference) -> bytes:
    raise AssertionError(reference.url)


async def _member(pool: asyncpg.Pool, sink: RecordingSink, settings: Settings, stop: asyncio.Event) -> None:
    follow: Follow = _no_reference
    while not stop.is_set():
        try:
            await runner(sink, pool, KafkaLog(settings, pool, sink.name, sorted(sink.types)), follow).run(stop)
        except Fenced:
            continue


async def test_members_that_come_and_go_end_with_every_last_version(
    pool: asyncpg.Pool, sink: RecordingSink, on_kafka: Settings
) -> None:
    stops = [asyncio.Event() for _ in range(3)]
    stop_writing = asyncio.Event()

    async def write() -> int:
        number = 0
        async with pool.acquire() as conn:
            while not stop_writing.is_set():
                await put(conn, [Put("Observation", f"o{number % 50}", {"text": f"t{number}"}, f"p{number % 9}")])
                number += 1
        return number

    async with pool.acquire() as conn:
        await put(conn, [Put("Patient", "p", {"text": "first"}, "p")])
    async with relaying(on_kafka, pool):
        writing = asyncio.create_task(write())
        first = asyncio.create_task(_member(pool, sink, on_kafka, stops[0]))

        async def begun() -> bool:
            return len(await rows(pool)) > 20

        await until(begun, first)
        second = asyncio.create_task(_member(pool, sink, on_kafka, stops[1]))

        async def shared() -> bool:
            return bool(await pool.fetchval("SELECT min(generation) >= 2 FROM bus.consumer_offset"))

        await until(shared, first, second)
        stops[0].set()
        await first
        third = asyncio.create_task(_member(pool, sink, on_kafka, stops[2]))
        stop_writing.set()
        count = await writing
        await sent(pool)
        wanted = sorted([("p", "first"), *((f"o{n % 50}", f"t{n}") for n in range(count - 50, count))])

        async def converged() -> bool:
            return sorted((row[1], row[4]) for row in await rows(pool)) == wanted

        await until(converged, second, third)
        databases = Databases(pool, pool, pool, pool, pool)

        async def caught_up() -> bool:
            return (await lag(on_kafka, databases, sink)).caught_up

        await until(caught_up, second, third)
        for stop in stops:
            stop.set()
        await asyncio.gather(second, third)


async def test_a_consumer_that_retries_stays_in_its_group_and_reads_on(
    pool: asyncpg.Pool, sink: RecordingSink, on_kafka: Settings
) -> None:
    log = KafkaLog(on_kafka, pool, sink.name, sorted(sink.types))
    stop = asyncio.Event()
    async with pool.acquire() as conn:
        await put(conn, [Put("Observation", "o", {"text": "a"}, "p")])
    async with relaying(on_kafka, pool):
        await log.open(_nothing_stored)
        batch = await log.poll(10, 1_000_000, 10)
        while not batch.records:
            batch = await log.poll(10, 1_000_000, 10)
        async with pool.acquire() as conn:
            await put(conn, [Put("Observation", "q", {"text": "b"}, "p")])
        await sent(pool)
        await log.rest(1.0)
        assert log.holds(batch)
        following = await log.poll(10, 1_000_000, 10)
        while not following.records:
            following = await log.poll(10, 1_000_000, 10)
        assert [record.event.id for record in batch.records] == ["o"]
        assert [record.event.id for record in following.records] == ["q"]
        await log.close()
        stop.set()


async def _nothing_stored(_: object) -> dict[tuple[str, int], int]:
    return {}

"""History waits in the outbox, not in topics, while a consumer that is up is behind: there live events overtake it."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncIterator

import asyncpg
import pytest
from confluent_kafka import Consumer

from ecluse.bus import pace, room
from ecluse.bus.broker import Broker, client, layout
from ecluse.bus.relay import Relay
from ecluse.core import clock
from ecluse.core.settings import Settings
from tests.integration.bus.store import Put, fill, put

pytestmark = pytest.mark.kafka

GROUP = "slow"
HISTORY = 3_000
WITHIN_S = 30.0
CURSOR = "SELECT coalesce(max(seq), 0) FROM bus.cursor WHERE name = 'relay' AND lane = $1"


class Slow:
    """A consumer that is up and takes only what it is told to take."""

    def __init__(self, settings: Settings, topic: str) -> None:
        config = {"group.id": f"{settings.kafka_prefix}{GROUP}", "isolation.level": "read_committed"}
        self._consumer = Consumer(
            client(settings) | config | {"enable.auto.commit": False, "auto.offset.reset": "earliest"}
        )
        self._consumer.subscribe([topic])

    def take(self, count: int, within_s: float = WITHIN_S) -> int:
        """How many records it took and committed, at most so many."""
        deadline, taken = clock.monotonic() + within_s, 0
        while taken < count and clock.monotonic() < deadline:
            if read := sum(one.error() is None for one in self._consumer.consume(count - taken, 0.2)):
                self._consumer.commit(asynchronous=False)
                taken += read
        return taken

    def join(self, within_s: float = WITHIN_S) -> None:
        """Waits until the group has given it its partitions."""
        deadline = clock.monotonic() + within_s
        while not self._consumer.assignment() and clock.monotonic() < deadline:
            assert self._consumer.poll(0.2) is None

    def close(self) -> None:
        """Leaves the group."""
        self._consumer.close()


@contextlib.asynccontextmanager
async def relaying(settings: Settings, pool: asyncpg.Pool) -> AsyncIterator[None]:
    """A relay that knows of the slow consumer."""
    stop = asyncio.Event()
    running = asyncio.create_task(Relay(settings, pool, [GROUP]).run(stop))
    yield
    stop.set()
    await running


async def _slow(settings: Settings, pool: asyncpg.Pool) -> Slow:
    """A consumer of a topic that is there, and empty."""
    topics = await layout(settings, pool)
    await Broker(settings, pool, topics).ensure(["Observation"])
    slow = Slow(settings, topics.events("Observation"))
    await asyncio.to_thread(slow.join)
    return slow


async def _reached(pool: asyncpg.Pool, lane: int, seq: int) -> None:
    async with asyncio.timeout(WITHIN_S):
        while await pool.fetchval(CURSOR, lane) < seq:
            await asyncio.sleep(0.02)


async def test_history_waits_for_a_consumer_that_is_up_and_live_events_pass_it(
    pool: asyncpg.Pool, on_kafka: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(room, "PATIENCE_S", 600.0)
    slow = await _slow(on_kafka, pool)
    async with pool.acquire() as conn:
        await fill(conn, HISTORY, size=10, lane=1)
        async with relaying(on_kafka, pool):
            assert await asyncio.to_thread(slow.take, 1) == 1
            await _reached(pool, 1, pace.BEGIN)
            ((live, _),) = await put(conn, [Put("Observation", "live", {}, "p")])
            await _reached(pool, 0, live)
            held = await pool.fetchval(CURSOR, 1)
            assert held <= 4 * pace.BEGIN < HISTORY
            assert await asyncio.to_thread(slow.take, HISTORY) == HISTORY
            await _reached(pool, 1, HISTORY)
    await asyncio.to_thread(slow.close)


async def test_a_consumer_that_is_down_is_not_waited_for(pool: asyncpg.Pool, on_kafka: Settings) -> None:
    slow = await _slow(on_kafka, pool)
    async with pool.acquire() as conn:
        await fill(conn, HISTORY, size=10, lane=1)
    async with relaying(on_kafka, pool):
        assert await asyncio.to_thread(slow.take, 1) == 1
        await asyncio.to_thread(slow.close)
        await _reached(pool, 1, HISTORY)


async def test_a_consumer_that_hangs_slows_history_and_does_not_stop_it(
    pool: asyncpg.Pool, on_kafka: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(room, "PATIENCE_S", 0.2)
    slow = await _slow(on_kafka, pool)
    async with pool.acquire() as conn:
        await fill(conn, HISTORY, size=10, lane=1)
    async with relaying(on_kafka, pool):
        assert await asyncio.to_thread(slow.take, 1) == 1
        await _reached(pool, 1, HISTORY)
    await asyncio.to_thread(slow.close)

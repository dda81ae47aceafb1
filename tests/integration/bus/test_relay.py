"""The relay sends everything at least once, one relay at a time, through kills, pauses and a broker that is away."""

from __future__ import annotations

import asyncio
import contextlib
import dataclasses
import os
import random
import signal
import sys
from collections.abc import AsyncIterator
from typing import Any

import asyncpg
import pytest
from confluent_kafka.admin import AdminClient, AlterConfigOpType, ConfigEntry, ConfigResource, ResourceType

from ecluse.bus import epoch
from ecluse.bus.broker import Broker as Brokers
from ecluse.bus.broker import client, layout
from ecluse.bus.kafka import KafkaLog
from ecluse.bus.lease import SQL
from ecluse.bus.relay import Relay
from ecluse.core.errors import Fenced
from ecluse.core.fhir import json
from ecluse.core.settings import Settings
from tests.integration.bus.store import Put, fill, put
from tests.integration.bus.test_topic_contract import Read, read_all, relaying, sent
from tests.integration.consumers.given import runner, until
from tests.integration.consumers.recording import RecordingSink, rows
from tests.services.kafka import Broker

pytestmark = pytest.mark.kafka

RELAY = """
import asyncio, sys
from ecluse.bus.relay import Relay
from ecluse.core.db.pool import open_pool
from ecluse.core.settings import Settings

async def main():
    pool = await open_pool(sys.argv[1], size=5, statement_timeout_ms=60000)
    settings = Settings(bus="kafka", kafka_bootstrap=sys.argv[2], kafka_prefix=sys.argv[3], kafka_partitions=4)
    await Relay(settings, pool).run(asyncio.Event())

asyncio.run(main())
"""


@contextlib.asynccontextmanager
async def relay_process(database: str, settings: Settings) -> AsyncIterator[asyncio.subprocess.Process]:
    """A relay in a process of its own, killed at the end."""
    words = (database, settings.kafka_bootstrap, settings.kafka_prefix)
    process = await asyncio.create_subprocess_exec(
        sys.executable, "-c", RELAY, *words, stderr=asyncio.subprocess.DEVNULL, env=dict(os.environ)
    )
    try:
        yield process
    finally:
        with contextlib.suppress(ProcessLookupError):
            process.kill()
        await process.wait()


async def _write(pool: asyncpg.Pool, first: int, count: int, stop: asyncio.Event | None = None) -> None:
    async with pool.acquire() as conn:
        for number in range(first, first + count):
            await put(conn, [Put("Observation", f"o{number % 40}", {"text": f"t{number}"}, f"p{number % 7}")])
            if stop is not None and stop.is_set():
                return


async def _relayed(pool: asyncpg.Pool) -> int:
    return int(await pool.fetchval("SELECT coalesce(max(seq), 0) FROM bus.cursor WHERE name = 'relay'"))


async def test_a_killed_relay_loses_nothing_and_doubles_nothing_in_effect(
    database: str, pool: asyncpg.Pool, sink: RecordingSink, on_kafka: Settings
) -> None:
    stop = asyncio.Event()
    log = KafkaLog(on_kafka, pool, sink.name, sorted(sink.types))
    consuming = asyncio.create_task(runner(sink, pool, log).run(stop))
    for _ in range(3):
        before, killed = await _relayed(pool), asyncio.Event()
        writing = asyncio.create_task(_write(pool, 0, 100_000, killed))
        async with relay_process(database, on_kafka):

            async def further(before: int = before) -> bool:
                return await _relayed(pool) > before + 200

            await until(further, consuming)
        killed.set()
        await writing
    await _write(pool, 4000, 40)
    async with relaying(on_kafka, pool):
        wanted = sorted(("Observation", f"o{n % 40}", f"t{n}") for n in range(4000, 4040))

        async def converged() -> bool:
            return sorted((row[0], row[1], row[4]) for row in await rows(pool)) == wanted

        await until(converged, consuming)
        stop.set()
        await consuming
    records = await asyncio.to_thread(read_all, on_kafka, "fhir.observation.v1")
    numbers = {int(record.headers["ecluse-seq"]) for record in records}
    assert numbers == set(range(1, await pool.fetchval("SELECT max(seq) FROM bus.outbox") + 1))


async def test_the_relay_sends_what_is_live_before_a_backlog_of_bulk(pool: asyncpg.Pool, on_kafka: Settings) -> None:
    async with pool.acquire() as conn:
        await fill(conn, 12_000, size=10, patients=3, lane=1)
        await put(conn, [Put("Observation", "live", {}, "p1")])
    async with relaying(on_kafka, pool):

        async def all_sent() -> bool:
            return await pool.fetchval("SELECT count(*) FROM bus.cursor WHERE name = 'relay' AND seq >= 12000") == 2

        await until(all_sent)
    events = await asyncio.to_thread(read_all, on_kafka, "fhir.observation.v1")
    (live,) = [event for event in events if event.headers["ecluse-lane"] == "live"]
    assert next(event for event in events if event.partition == live.partition) == live
    assert len(events) == 12_001


async def test_what_the_brokers_refuse_is_not_taken_for_sent(pool: asyncpg.Pool, on_kafka: Settings) -> None:
    topics = await layout(on_kafka, pool)
    await Brokers(on_kafka, pool, topics).ensure(["Observation"])
    name = topics.events("Observation")
    await asyncio.to_thread(_limited, on_kafka, name, 2_000)
    async with pool.acquire() as conn:
        await put(conn, [Put("Observation", "small", {}, "p")])
        await put(conn, [Put("Observation", "large", {"text": random.Random(1).randbytes(4_000).hex()}, "p")])
    running = asyncio.create_task(Relay(on_kafka, pool).run(stop := asyncio.Event()))
    await asyncio.sleep(3)
    assert await _relayed(pool) < 2
    await asyncio.to_thread(_limited, on_kafka, name, 1_000_000)
    await sent(pool, running)
    stop.set()
    await running
    records = await asyncio.to_thread(read_all, on_kafka, "fhir.observation.v1")
    assert [record.key.decode().rpartition("/")[2] for record in records] == ["small", "large"]


def _limited(settings: Settings, topic: str, most: int) -> None:
    """Sets the bytes of the largest batch that the brokers take for this topic."""
    entry = ConfigEntry("max.message.bytes", str(most), incremental_operation=AlterConfigOpType.SET)
    resource = ConfigResource(ResourceType.TOPIC, topic, incremental_configs=[entry])
    admin = AdminClient(client(settings))  # the answer does not come when it is gone
    for future in admin.incremental_alter_configs([resource]).values():
        future.result()


async def test_a_relay_that_wakes_up_after_its_successor_is_fenced(
    database: str, pool: asyncpg.Pool, on_kafka: Settings
) -> None:
    await _write(pool, 0, 5)
    async with relay_process(database, on_kafka) as zombie:
        await sent(pool)
        zombie.send_signal(signal.SIGSTOP)
        await pool.execute("UPDATE bus.relay_lease SET until = now() - interval '1 s'")
        async with relaying(on_kafka, pool):
            await _write(pool, 5, 5)
            await sent(pool)
            zombie.send_signal(signal.SIGCONT)
            assert await asyncio.wait_for(zombie.wait(), 20) != 0
            await _write(pool, 10, 5)
            await sent(pool)
    records = await asyncio.to_thread(read_all, on_kafka, "fhir.observation.v1")
    assert sorted(int(record.headers["ecluse-seq"]) for record in records) == list(range(1, 16))


async def test_a_second_relay_waits_while_the_first_one_holds_its_lease(pool: asyncpg.Pool, on_kafka: Settings) -> None:
    await _write(pool, 0, 1)
    stop = asyncio.Event()
    async with relaying(on_kafka, pool):
        standby = asyncio.create_task(Relay(on_kafka, pool).run(stop))
        await _write(pool, 1, 1)
        await sent(pool)
        assert await pool.fetchval("SELECT generation FROM bus.relay_lease") == 1

    async def taken_over() -> bool:
        return bool(await pool.fetchval("SELECT generation = 2 FROM bus.relay_lease"))

    await until(taken_over, standby)
    stop.set()
    await standby


async def test_a_relay_whose_lease_was_taken_ends_with_an_error(pool: asyncpg.Pool, on_kafka: Settings) -> None:
    await _write(pool, 0, 1)
    stop = asyncio.Event()
    running = asyncio.create_task(Relay(on_kafka, pool).run(stop))
    await sent(pool, running)
    assert await pool.fetchval(SQL["take_lease"], 1, 8.0) == 2
    await _write(pool, 1, 1)
    with pytest.raises(Fenced, match="Another relay has taken over"):
        await running


async def test_while_kafka_is_away_writes_go_on_and_everything_catches_up(
    pool: asyncpg.Pool, sink: RecordingSink, own_kafka: Broker, on_kafka: Settings
) -> None:
    settings = dataclasses.replace(on_kafka, kafka_bootstrap=own_kafka.bootstrap)
    await _write(pool, 0, 3)
    stop = asyncio.Event()
    log = KafkaLog(settings, pool, sink.name, sorted(sink.types))
    relaying_task = asyncio.create_task(Relay(settings, pool).run(stop))
    consuming = asyncio.create_task(runner(sink, pool, log).run(stop))
    await sent(pool, relaying_task, consuming)
    await asyncio.to_thread(own_kafka.kill)
    await _write(pool, 3, 30)
    await asyncio.sleep(3)
    assert not relaying_task.done() and not consuming.done()
    await asyncio.to_thread(own_kafka.start)
    await sent(pool, relaying_task, consuming)

    async def consumed() -> bool:
        return len(await rows(pool)) == 33

    await until(consumed, relaying_task, consuming)
    stop.set()
    await asyncio.gather(relaying_task, consuming)


async def test_after_a_restore_the_topics_tell_what_stands(pool: asyncpg.Pool, on_kafka: Settings) -> None:
    async with pool.acquire() as conn:
        await epoch.settle(conn)
        before = await put(conn, [Put("Observation", name, {"text": "old"}, "p") for name in ("kept", "moved", "gone")])
    async with relaying(on_kafka, pool):
        async with pool.acquire() as conn:
            await put(conn, [Put("Observation", "moved", {"text": "undone"}, "q")])
            await put(
                conn, [Put("Observation", "gone", None, "p"), Put("Observation", "made", {"text": "undone"}, "p")]
            )
        await sent(pool)
    async with pool.acquire() as conn:
        await restored(conn, max(seq for seq, _ in before))
    async with relaying(on_kafka, pool):
        async with pool.acquire() as conn:
            await put(conn, [Put("Observation", "moved", {"text": "new"}, "p")])
        await sent(pool)
        states = await asyncio.to_thread(read_all, on_kafka, "fhir.observation.state.v1")
        events = await asyncio.to_thread(read_all, on_kafka, "fhir.observation.v1")
    last = {record.key.decode().rpartition("/")[2]: record for record in states}
    assert {name: (record.value and json.decode(record.value)["text"]) for name, record in last.items()} == {
        "kept": "old",
        "moved": "new",
        "gone": "old",
        "made": None,
    }
    again = [(record.headers["ce_subject"], record.headers["ce_type"]) for record in events if _restored(record)]
    assert sorted(again) == [
        ("Observation/gone", "fhir.resource.updated"),
        ("Observation/made", "fhir.resource.erased"),
        ("Observation/moved", "fhir.resource.moved"),
        ("Observation/moved", "fhir.resource.updated"),
    ]
    async with relaying(on_kafka, pool):
        assert len(await asyncio.to_thread(read_all, on_kafka, "fhir.observation.v1")) == len(events)


async def restored(conn: Any, seq: int) -> None:
    """Takes the store back to the event with this number, and lets it find that out."""
    await conn.execute(
        """
        DELETE FROM fhir.version v USING bus.outbox o WHERE o.seq > $1 AND v.pk = o.pk AND v.version = o.version
        """,
        seq,
    )
    await conn.execute("DELETE FROM bus.outbox WHERE seq > $1", seq)
    await conn.execute("UPDATE bus.cursor SET seq = $1", seq)
    await conn.execute(
        """
        UPDATE fhir.resource r SET (version, deleted, patient) = (
            SELECT coalesce(max(v.version), 0), count(*) = 0, (array_agg(v.patient ORDER BY v.version DESC))[1]
            FROM fhir.version v WHERE v.pk = r.pk)
        """
    )
    await conn.execute("UPDATE bus.epoch SET timeline = timeline + 1")
    assert await epoch.settle(conn) == 2


def _restored(record: Read) -> bool:
    assert record.headers["ecluse-epoch"] in ("1", "2")
    return record.headers.get("ecluse-reason") in ("restored", "undone")

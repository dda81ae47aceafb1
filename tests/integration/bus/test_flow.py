"""How events flow, as operators see it: who holds readers back, what waits for Kafka, which alarms follow."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import asyncpg

from ecluse.bus.backlog import NOTHING, waiting
from ecluse.bus.flow import Flow, Relay, Writer, alarms, flow
from ecluse.bus.partitions import Size
from ecluse.core.settings import Settings
from tests.integration.bus.store import Put, put
from tests.integration.bus.test_topic_contract import relaying

QUIET = Flow(None, None, Size(1, None, None))


async def told(pool: asyncpg.Pool, settings: Settings) -> Flow:
    async with pool.acquire() as conn:
        return await flow(conn, settings)


async def test_the_oldest_transaction_that_holds_numbers_is_named(pool: asyncpg.Pool) -> None:
    assert (await told(pool, Settings())).writer is None
    async with pool.acquire() as slow, pool.acquire() as other, slow.transaction():
        await slow.execute("SET LOCAL application_name = 'night load'")
        await put(slow, [Put("Patient", "p", {})])
        async with other.transaction():
            await put(other, [Put("Patient", "q", {})])
            found = await told(pool, Settings())
        pid = await slow.fetchval("SELECT pg_backend_pid()")
    assert found.writer is not None
    assert found.writer[:2] == (pid, "night load") and found.writer.seconds > 0
    assert found.relay is None


async def test_what_the_relay_has_not_sent_is_counted(pool: asyncpg.Pool, on_kafka: Settings) -> None:
    async with pool.acquire() as conn:
        await put(conn, [Put("Patient", "p", {}), Put("Patient", "q", {})])
        await put(conn, [Put("Patient", "r", {})], lane=1)
    before = (await told(pool, on_kafka)).relay
    assert before is not None and before[:2] == (False, 3) and before.seconds > 0
    async with relaying(on_kafka, pool):
        assert (await told(pool, on_kafka)).relay == Relay(True, 0, 0.0)


async def test_what_waits_keeps_its_age_when_its_resource_is_erased(pool: asyncpg.Pool) -> None:
    async with pool.acquire() as conn:
        await put(conn, [Put("Patient", "p", {})])
        await conn.execute("UPDATE fhir.resource SET updated = updated - interval '1 hour'")
        await conn.execute("DELETE FROM fhir.version")
        relay = (await flow(conn, Settings(bus="kafka"))).relay
        live, bulk = await waiting(conn, ["Patient"], [1, 1])
    assert relay is not None and relay.seconds > 3_500
    assert live.seconds > 3_500 and bulk == NOTHING


def test_an_alarm_says_who_how_long_and_what_to_do() -> None:
    settings = Settings(alarm_s=60, events_budget_bytes=1000)

    def told_of(**found: Any) -> list[str]:
        return alarms(QUIET._replace(**found), settings)

    assert told_of() == told_of(writer=Writer(7, "x", 59.0), relay=Relay(True, 5, 59.0)) == []
    (writer,) = told_of(writer=Writer(4711, "night load", 61.4))
    assert "night load (PostgreSQL process 4711)" in writer and "61 s" in writer and "end it" in writer
    (stopped,) = told_of(relay=Relay(False, 0, 0.0))
    assert "ecluse relay" in stopped
    (away,) = told_of(relay=Relay(True, 9, 300.0))
    assert "300 s" in away and "broker" in away
    (left,) = told_of(outbox=Size(1, "search", 9, ["warehouse"]))
    assert "left warehouse behind" in left
    (over,) = told_of(outbox=Size(1001, "warehouse", 5))
    assert "1001 bytes" in over and "warehouse" in over and "ECLUSE_EVENTS_BUDGET_BYTES" in over
    assert len(alarms(QUIET, replace(settings, events_budget_bytes=0))) == 1

"""Durations in buckets: nothing is lost while several add, or while the database is away."""

from __future__ import annotations

import asyncio
from datetime import timedelta
from math import inf

import asyncpg
import pytest

from ecluse.bus.durations import Bucket, Durations, Stages, buckets
from ecluse.bus.event import Event
from ecluse.core import clock


async def test_several_processes_add_to_the_same_buckets(pool: asyncpg.Pool) -> None:
    several = [Durations("request") for _ in range(4)]
    for _ in range(5):
        for one in several:
            for seconds in (0.005, 0.006, 7200.0):
                one.add("read", "200", seconds)
            one.add("vread", "404", 0.4)
        await asyncio.gather(*(one.store(pool, now=True) for one in several))
    found = sorted(await buckets([pool]))
    assert [bucket[:5] for bucket in found] == [
        ("request", "read", "200", 0.005, 20),
        ("request", "read", "200", 0.01, 20),
        ("request", "read", "200", inf, 20),
        ("request", "vread", "404", 0.5, 20),
    ]
    assert sum(bucket.total_s for bucket in found) == pytest.approx(20 * (0.005 + 0.006 + 7200 + 0.4))


async def test_what_could_not_be_stored_is_stored_later(pool: asyncpg.Pool) -> None:
    durations = Durations("request")
    durations.add("read", "200", 0.02)
    with pytest.raises(asyncpg.UndefinedTableError):
        async with pool.acquire() as conn, conn.transaction():
            await conn.execute("ALTER TABLE bus.duration RENAME TO away")
            await durations.store(conn)
    durations.add("read", "200", 0.02)
    await durations.store(pool)
    assert await buckets([pool]) == [Bucket("request", "read", "200", 0.025, 2, pytest.approx(0.04))]


async def test_it_is_stored_once_a_second_and_nothing_when_there_is_nothing(pool: asyncpg.Pool) -> None:
    durations = Durations("request")
    await durations.store(pool)
    for _ in range(3):
        durations.add("read", "200", 0.02)
        await durations.store(pool)
    (bucket,) = await buckets([pool])
    assert bucket.found == 1
    await durations.store(pool, now=True)
    (bucket,) = await buckets([pool])
    assert bucket.found == 3


async def test_the_age_of_what_is_sent_again_or_of_history_is_no_delay(pool: asyncpg.Pool) -> None:
    now = clock.now()

    def event(**told: str) -> Event:
        given = {"site": "default", "type": "Patient", "id": "p", "op": "updated", **told}
        return Event(**given, version=1, epoch=1, seq=1, time=now - timedelta(seconds=3))

    again = [event(reason="replayed"), event(lane="bulk"), event(op="moved")]
    stages = Stages("warehouse")
    stages.reached("written", [*again, event(), event()], now)
    await stages.store(pool)
    assert await buckets([pool]) == [Bucket("stage", "warehouse", "written", 5.0, 2, pytest.approx(6))]

"""The reader of the outbox loses nothing and inverts nothing, whatever the order of commits."""

from __future__ import annotations

import asyncio
import random
from collections import defaultdict

import asyncpg
import pytest

from ecluse.bus import pace
from ecluse.bus.embedded import EmbeddedLog, Notifier
from ecluse.bus.outbox import Outbox, Slice, Tail
from ecluse.core.fhir import types
from tests.integration.bus.store import Put, fill, put

WRITERS = 8
WRITES = 60
RESOURCES = 12


async def _nothing_stored(_: object) -> dict[tuple[str, int], int]:
    return {}


async def _write(pool: asyncpg.Pool, number: int) -> list[tuple[int, int]]:
    chance = random.Random(number)
    written = []
    async with pool.acquire() as conn:
        for _ in range(WRITES):
            ids = sorted(chance.sample(range(RESOURCES), chance.randint(1, 3)))
            puts = [Put("Observation", f"o{i}", {"text": "x"}, f"p{i}") for i in ids]
            try:
                written += await put(conn, puts, lane=number % 2, hold_s=chance.choice([0, 0, 0.001, 0.01]))
            except asyncpg.DeadlockDetectedError:
                continue
    return written


async def _read(log: EmbeddedLog, stop: asyncio.Event) -> list[tuple[int, str, int, str]]:
    await log.open(_nothing_stored)
    read: list[tuple[int, str, int, str]] = []
    quiet = 0
    while not stop.is_set() or quiet < 2:
        batch = await log.poll(17, 5_000, 0.05)
        read += [(r.event.seq, r.event.id, r.event.version, r.event.lane) for r in batch.records]
        quiet = 0 if batch.records else quiet + 1
    await log.close()
    return read


async def test_eight_writers_lose_and_invert_nothing(pool: asyncpg.Pool) -> None:
    stop = asyncio.Event()
    readers = [asyncio.create_task(_read(EmbeddedLog(pool, f"r{n}", ["Observation"]), stop)) for n in range(2)]
    written = [pair for pairs in await asyncio.gather(*(_write(pool, n) for n in range(WRITERS))) for pair in pairs]
    stop.set()
    for read in await asyncio.gather(*readers):
        assert sorted(seq for seq, *_ in read) == sorted(seq for seq, _ in written)
        versions: dict[tuple[str, str], list[int]] = defaultdict(list)
        for _, resource_id, version, lane in read:
            versions[resource_id, lane].append(version)
        assert len(written) > WRITERS * WRITES / 2
        assert all(found == sorted(found) for found in versions.values())


async def test_a_reader_waits_for_the_lower_number_that_commits_later(pool: asyncpg.Pool) -> None:
    outbox = Outbox(pool)
    async with pool.acquire() as slow, pool.acquire() as quick:
        late = asyncio.create_task(put(slow, [Put("Patient", "late", {}, "late")], hold_s=0.3))
        while await pool.fetchval("SELECT last_value FROM bus.outbox_seq WHERE is_called") is None:
            await asyncio.sleep(0.005)
        ((seq, _),) = await put(quick, [Put("Patient", "early", {}, "early")])
        assert await outbox.settle() == seq
        assert late.done()
    read = await outbox.read(0, seq, 0, 10, 1_000_000)
    assert [item.event.id for item in read.sent] == ["late", "early"]


async def test_a_number_that_was_rolled_back_stops_nobody_and_is_no_position(pool: asyncpg.Pool) -> None:
    outbox = Outbox(pool)
    async with pool.acquire() as conn:
        ((seq, _),) = await put(conn, [Put("Patient", "p", {}, "p")])
        with pytest.raises(ZeroDivisionError):
            async with conn.transaction():
                await put(conn, [Put("Patient", "q", {}, "q")])
                raise ZeroDivisionError
        assert await outbox.settle() == seq


async def test_a_batch_ends_at_its_bytes_but_is_never_empty(pool: asyncpg.Pool) -> None:
    outbox = Outbox(pool)
    async with pool.acquire() as conn:
        await put(conn, [Put("Patient", f"p{n}", {"text": "x" * 1000}, None) for n in range(5)])
    until = await outbox.settle()
    assert until
    assert len((await outbox.read(0, until, 0, 10, 1)).sent) == 1
    two = await outbox.read(0, until, 0, 10, 1500)
    assert [item.event.id for item in two.sent] == ["p0", "p1"]
    rest = await outbox.read(two.position, until, 0, 10, 1_000_000)
    assert [item.event.id for item in rest.sent] == ["p2", "p3", "p4"]
    assert rest.position == until


async def test_an_event_tells_its_transaction_and_its_place_in_it(pool: asyncpg.Pool) -> None:
    outbox = Outbox(pool)
    async with pool.acquire() as conn:
        await put(conn, [Put("Observation", "o", {}, "p"), Put("Patient", "p", {}, "p")])
        await put(conn, [Put("Patient", "alone", {}, "alone")])
    read = (await outbox.read(0, await outbox.settle() or 0, 0, 10, 1_000_000)).sent
    first, second, alone = (item.event for item in read)
    assert first.bundle == second.bundle != ""
    assert [(e.n, e.m) for e in (first, second, alone)] == [(1, 2), (2, 2), (1, 1)]
    assert alone.bundle == ""
    assert (first.site, first.key, first.patient, first.sender) == ("default", "default/Observation/o", "p", "test")


async def test_live_events_come_before_a_backlog_of_bulk(pool: asyncpg.Pool) -> None:
    log = EmbeddedLog(pool, "lanes", ["Patient"])
    await log.open(_nothing_stored)
    async with pool.acquire() as conn:
        await put(conn, [Put("Patient", f"old{n}", {}) for n in range(6)], lane=1)
        await put(conn, [Put("Patient", "new", {})])
    first = await log.poll(3, 1_000_000, 1)
    assert [record.event.id for record in first.records] == ["new", "old0", "old1"]
    async with pool.acquire() as conn:
        await put(conn, [Put("Patient", "newer", {})])
    second = await log.poll(3, 1_000_000, 1)
    assert [record.event.id for record in second.records] == ["newer", "old2", "old3"]
    await log.close()


async def test_live_events_come_first_while_hundreds_of_thousands_of_bulk_wait(pool: asyncpg.Pool) -> None:
    log = EmbeddedLog(pool, "backlog", ["Observation", "Patient"])
    await log.open(_nothing_stored)
    async with pool.acquire() as conn:
        await fill(conn, 200_000, size=1, lane=1)
        await put(conn, [Put("Patient", "first", {})])
        batches = [await log.poll(500, 10_000_000, 1)]
        for number in range(4):
            await put(conn, [Put("Patient", f"next{number}", {})])
            batches.append(await log.poll(500, 10_000_000, 1))
    assert [batch.records[0].event.id for batch in batches] == ["first", "next0", "next1", "next2", "next3"]
    assert [{record.event.lane for record in batch.records[1:]} for batch in batches] == [{"bulk"}] * 5
    sizes = [len(batch.records) for batch in batches]
    assert sizes[0] == pace.BEGIN + 1
    assert all(pace.LEAST < size <= 500 for size in sizes), sizes
    await log.close()


async def test_a_notification_wakes_a_reader_before_it_looks_again(pool: asyncpg.Pool) -> None:
    log = EmbeddedLog(pool, "woken", ["Patient"])
    notifier = Notifier(pool)
    stop = asyncio.Event()
    await log.open(_nothing_stored)
    await log.poll(1, 1000, 0)
    running = asyncio.create_task(notifier.run(stop))
    delays = []
    async with pool.acquire() as conn:
        for number in range(5):
            polled = asyncio.create_task(log.poll(10, 1000, 5))
            await asyncio.sleep(0.03)
            began = asyncio.get_running_loop().time()
            await put(conn, [Put("Patient", f"p{number}", {})])
            notifier.touch()
            assert (await polled).records
            delays.append(asyncio.get_running_loop().time() - began)
    stop.set()
    await running
    await log.close()
    assert sorted(delays)[2] < 0.1


async def test_the_reader_takes_only_the_types_it_asked_for(pool: asyncpg.Pool) -> None:
    async with pool.acquire() as conn:
        await fill(conn, 3, kind="Condition")
        await put(conn, [Put("Patient", "p", {})])
    outbox = Outbox(pool, ["Patient"])
    until = await outbox.settle() or 0
    read = await outbox.read(0, until, 0, 2, 1_000_000)
    assert [item.event.type for item in read.sent] == ["Patient"]
    assert read.position == until
    assert types.number_of["Patient"] != types.number_of["Condition"]


class _BreaksInTheSecondLane(Outbox):
    """Loses its connection once, between the read of the live lane and that of bulk."""

    broken = False

    async def read(self, after: int, until: int, lane: int, max_events: int, max_bytes: int) -> Slice:
        if lane == 1 and not self.broken:
            self.broken = True
            raise ConnectionResetError("cut")
        return await super().read(after, until, lane, max_events, max_bytes)


async def test_what_one_lane_gave_is_read_again_when_the_other_fails(pool: asyncpg.Pool) -> None:
    async with pool.acquire() as conn:
        await put(conn, [Put("Observation", f"o{n}", {"text": "x"}) for n in range(3)])
    tail = Tail(pool)
    tail._outbox = _BreaksInTheSecondLane(pool)
    with pytest.raises(ConnectionResetError):
        await tail.read(100, 1 << 20)
    assert [sent.event.id for sent in await tail.read(100, 1 << 20)] == ["o0", "o1", "o2"]

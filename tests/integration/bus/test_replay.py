"""Events are read again from any position, in order, none skipped and none twice."""

from __future__ import annotations

import asyncio
import random

import asyncpg
import pytest

from ecluse.bus import epoch, replay
from ecluse.bus.event import Event
from ecluse.bus.position import Position
from ecluse.bus.replay import Page, Replay
from ecluse.core.errors import BadRequest, Gone, Unavailable
from tests.integration.bus.store import Put, put

START = Position(1, 0)
WRITERS, WRITES = 6, 30


async def _all(pool: asyncpg.Pool, since: Position, count: int) -> tuple[list[Event], Position]:
    """Page after page, until there is no more."""
    events: list[Event] = []
    found = Page([], since, more=True)
    while found.more:
        found = await Replay(pool).page(found.next, count)
        events += found.events
    return events, found.next


async def _write(pool: asyncpg.Pool, number: int) -> list[int]:
    chance = random.Random(number)
    written = []
    async with pool.acquire() as conn:
        for each in range(WRITES):
            puts = [Put("Basic", f"b{number}-{each}-{entry}", {}) for entry in range(chance.randint(1, 3))]
            hold_s = chance.choice([0, 0, 0.002, 0.01])
            written += [seq for seq, _ in await put(conn, puts, lane=number % 2, hold_s=hold_s)]
    return written


@pytest.mark.parametrize("count", [1, 7, 1000])
async def test_pages_beside_writers_hold_every_event_once_in_order(pool: asyncpg.Pool, count: int) -> None:
    writing = asyncio.gather(*(_write(pool, number) for number in range(WRITERS)))
    read: list[Event] = []
    since, ended = START, False
    while not ended:
        ended = writing.done()
        events, since = await _all(pool, since, count)
        read += events
    written = sorted(seq for seqs in await writing for seq in seqs)
    assert [event.seq for event in read] == written
    assert {event.lane for event in read} == {"live", "bulk"}
    assert (await Replay(pool).page(None, count)) == Page([], Position(1, written[-1]), more=False)


async def test_types_and_sites_narrow_the_events_and_not_the_position(pool: asyncpg.Pool) -> None:
    async with pool.acquire() as conn:
        other = await conn.fetchval("INSERT INTO fhir.site (name) VALUES ('north') RETURNING site")
        await put(conn, [Put("Patient", "a", {}), Put("Basic", "b", {})])
        await put(conn, [Put("Patient", "c", {}), Put("Basic", "d", {})], site=other)
        await put(conn, [Put("Patient", "a")])
    patients = await Replay(pool, ["Patient"]).page(START, 10)
    assert [(event.site, event.id, event.op) for event in patients.events] == [
        ("default", "a", "created"),
        ("north", "c", "created"),
        ("default", "a", "deleted"),
    ]
    assert patients.events[-1].body is None
    assert [event.id for event in (await Replay(pool, sites=[other]).page(START, 10)).events] == ["d", "c"]
    none = await Replay(pool, ["Group"]).page(START, 10)
    assert none == Page([], Position(1, 5), more=False)


async def test_after_a_restore_what_it_undid_stands_for_what_it_kept(pool: asyncpg.Pool) -> None:
    async with pool.acquire() as conn:
        await epoch.settle(conn)
        await put(conn, [Put("Basic", "before", {})])
        await conn.execute("UPDATE bus.epoch SET system_identifier = 'another'")
        await epoch.settle(conn)
        await put(conn, [Put("Basic", "instead", {})])
    for undone in (Position(1, 1), Position(1, 900)):
        found = await Replay(pool).page(undone, 10)
        assert [(event.id, event.epoch) for event in found.events] == [("instead", 2)]
        assert found.next == Position(2, 2)
    assert (await Replay(pool).page(found.next, 10)).events == []
    with pytest.raises(BadRequest, match=r"There is no event 3\.1 yet; the last one is 2\.2\."):
        await Replay(pool).page(Position(3, 1), 10)
    with pytest.raises(BadRequest, match=r"no event 2\.3 yet"):
        await Replay(pool).page(Position(2, 3), 10)


async def test_events_that_are_no_longer_kept_are_gone(pool: asyncpg.Pool) -> None:
    await pool.execute("DROP TABLE bus.outbox_0")
    await pool.execute("SELECT setval('bus.outbox_seq', 1048575)")
    with pytest.raises(Gone) as refused:
        await Replay(pool).page(Position(1, 7), 10)
    assert "first that is kept is 1.1048576" in refused.value.issues[0].diagnostics
    assert (await Replay(pool).page(Position(1, 1048575), 10)).events == []


async def test_a_long_write_is_waited_for_and_then_named(pool: asyncpg.Pool, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(replay, "PATIENCE_S", 0.2)
    async with pool.acquire() as conn, conn.transaction():
        await put(conn, [Put("Basic", "b", {})])
        with pytest.raises(Unavailable, match="long write"):
            await Replay(pool).page(START, 10)
    assert [event.id for event in (await Replay(pool).page(START, 10)).events] == ["b"]

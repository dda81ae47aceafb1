"""How much waits in the outbox: exact while it is little, estimated from as many rows when it is much."""

from __future__ import annotations

import asyncpg
import pytest

from ecluse.bus import backlog
from ecluse.bus.backlog import NOTHING, waiting
from tests.integration.bus.store import Put, put

ROWS = 20


@pytest.fixture
async def full(pool: asyncpg.Pool, monkeypatch: pytest.MonkeyPatch) -> asyncpg.Pool:
    """An outbox of 100 live events, every fourth of a Patient, with one of history; 20 of them may be looked at."""
    monkeypatch.setattr(backlog, "MOST_ROWS", ROWS)
    async with pool.acquire() as conn:
        for n in range(100):
            await put(conn, [Put("Observation" if n % 4 else "Patient", f"r{n}", {})])
        await put(conn, [Put("Patient", "history", {})], lane=1)
    return pool


async def test_what_is_little_is_counted(full: asyncpg.Pool) -> None:
    live, bulk = await waiting(full, None, [90, 90])
    assert (live.events, bulk.events) == (11, 1)
    assert 0 < live.seconds < 60


async def test_what_is_much_is_estimated_from_its_beginning(full: asyncpg.Pool) -> None:
    live, _ = await waiting(full, ["Patient"], [1, 101])
    assert live.events == 5 + round(81 * 5 / ROWS)
    everything, _ = await waiting(full, None, [1, 101])
    assert everything.events == 101


async def test_a_rare_type_behind_many_rows_is_not_taken_for_nothing(full: asyncpg.Pool) -> None:
    """Whoever waits until nothing is left must not be told so."""
    _, bulk = await waiting(full, ["Patient"], [102, 1])
    assert bulk.events == 1
    live, _ = await waiting(full, ["Practitioner"], [1, 102])
    assert live.events == 1


async def test_who_has_read_all_waits_for_nothing(full: asyncpg.Pool) -> None:
    assert await waiting(full, None, [102, 102]) == [NOTHING, NOTHING]
    live, _ = await waiting(full, ["Practitioner"], [90, 90])
    assert live == NOTHING


async def test_no_more_rows_are_read_than_may_be(full: asyncpg.Pool) -> None:
    """The plan itself tells how many rows of the outbox it met, its highest number apart."""
    text = backlog.SQL["waiting"]
    rows = await full.fetch(f"EXPLAIN (ANALYZE, TIMING OFF, SUMMARY OFF) {text}", None, 0, 1, ROWS)
    met = [line for (line,) in rows if "outbox" in line and "Scan" in line and "Backward" not in line]
    assert met
    for line in met:
        assert "never executed" in line or float(line.split("rows=")[2].split()[0]) <= ROWS, line

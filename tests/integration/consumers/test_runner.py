"""The loop: one transaction for rows, ledger, offset and dead letters; what fails waits or is parked."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Sequence
from typing import Any

import asyncpg
import pytest

from consumers import dead_letters, ledger
from consumers.offsets import Offsets
from consumers.sink import Change, Disposition
from ecluse.bus.backoff import transient
from ecluse.bus.embedded import PARTITIONS, EmbeddedLog
from ecluse.bus.log import Batch
from ecluse.core.errors import Fenced, Unavailable
from tests.integration.bus.store import Put, put
from tests.integration.consumers.given import batch, event, runner, until
from tests.integration.consumers.recording import RecordingSink, rows

BREAK = """
SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE pid <> pg_backend_pid() AND datname = current_database()
"""


def observation(resource_id: str, text: str | None, patient: str | None = "p") -> Put:
    return Put("Observation", resource_id, None if text is None else {"text": text}, patient)


async def _consumed(pool: asyncpg.Pool, sink: RecordingSink, count: int) -> None:
    """Runs a consumer until its ledger holds this many resources."""
    stop = asyncio.Event()
    running = asyncio.create_task(runner(sink, pool).run(stop))

    async def done() -> bool:
        return bool(await pool.fetchval("SELECT count(*) >= $1 FROM bus.ledger", count))

    await until(done, running)
    stop.set()
    await running


async def test_each_resource_has_its_place_in_the_books(pool: asyncpg.Pool, sink: RecordingSink) -> None:
    async with pool.acquire() as conn:
        await put(conn, [observation("kept", "a"), observation("out", "excluded"), observation("bad", "unmappable")])
        await put(conn, [observation("gone", "a"), Put("Practitioner", "other", {})])
        await put(conn, [observation("gone", None), observation("broken", "broken"), observation("row", "unwritable")])
    await _consumed(pool, sink, 6)
    books = await ledger.books(pool, pool, sink.name, sink.types)
    assert books == ledger.Books(6, 1, {"not wanted": 1}, 0, 0, 3, 1, balanced=True)
    assert [row[1] for row in await rows(pool)] == ["kept"]


async def test_a_poison_event_is_parked_alone_and_its_reason_quotes_nothing(
    pool: asyncpg.Pool, sink: RecordingSink
) -> None:
    async with pool.acquire() as conn:
        await put(conn, [observation(f"o{n:02}", "a") for n in range(20)])
        await put(conn, [observation("o07", "unwritable"), observation("o13", "broken")])
    await _consumed(pool, sink, 20)
    parked = await dead_letters.listed(pool)
    assert [(letter.id, letter.version) for letter in parked] == [("o07", 2), ("o13", 2)]
    assert parked[0].reason.startswith("unexpected CheckViolationError row_text_check at ")
    assert parked[1].reason.startswith("unexpected KeyError at recording.py:")
    assert "DUPONT" not in str(parked)
    assert len(await rows(pool)) == 18


async def test_a_replay_takes_what_was_parked_once_it_can_be(pool: asyncpg.Pool, sink: RecordingSink) -> None:
    async with pool.acquire() as conn:
        await put(conn, [observation("o", "unmappable"), observation("still", "broken")])
    await _consumed(pool, sink, 2)
    sink.unmappable = frozenset()
    stop = asyncio.Event()
    running = asyncio.create_task(runner(sink, pool).run(stop))
    assert await dead_letters.replay(pool, sink.name, "no such reason") == 0
    assert await dead_letters.replay(pool, sink.name) == 2

    async def tried() -> bool:
        return bool(await rows(pool)) and not await dead_letters.requested(pool, sink.name, 10)

    await until(tried, running)
    stop.set()
    await running
    (left,) = await dead_letters.listed(pool)
    assert (left.id, left.attempts) == ("still", 2)
    assert (await ledger.books(pool, pool, sink.name, sink.types)).dead == 1


async def test_what_nobody_asked_for_in_time_is_given_up_and_booked(pool: asyncpg.Pool, sink: RecordingSink) -> None:
    async with pool.acquire() as conn:
        await put(conn, [observation("old", "unmappable"), observation("young", "unmappable")])
    await _consumed(pool, sink, 2)
    assert await dead_letters.expire(pool, sink.name, 90) == 0
    await pool.execute("UPDATE bus.dead_letter SET failed_at = now() - interval '91 days' WHERE id = 'old'")
    keeping = asyncio.create_task(dead_letters.keep(pool, sink.name, 90))

    async def given_up() -> bool:
        return bool(await pool.fetchval("SELECT count(*) = 1 FROM bus.dead_letter"))

    await until(given_up, keeping)
    keeping.cancel()
    books = await ledger.books(pool, pool, sink.name, sink.types)
    assert (books.dead, books.excluded, books.balanced) == (1, {"dead letter older than 90 days": 1}, True)
    assert [letter.id for letter in await dead_letters.listed(pool, sink.name)] == ["young"]


async def test_a_later_version_heals_the_dead_letter_and_a_dropped_one_is_booked(
    pool: asyncpg.Pool, sink: RecordingSink
) -> None:
    running = runner(sink, pool)
    await running.take(batch([event("o", 1, "unmappable"), event("q", 1, "unmappable")]), asyncio.Event())
    assert len(await dead_letters.listed(pool)) == 2
    await running.take(batch([event("o", 2, "fine")]), asyncio.Event())
    assert [letter.id for letter in await dead_letters.listed(pool)] == ["q"]
    assert await dead_letters.drop(pool, sink.name) == 1
    books = await ledger.books(pool, pool, sink.name, sink.types)
    assert (books.mapped, books.dead, books.excluded) == (1, 0, {"dead letter dropped": 1})


class _Told(RecordingSink):
    """Keeps which versions it was given as the first of their resource."""

    def __init__(self, pool: asyncpg.Pool) -> None:
        super().__init__(pool)
        self.fresh: list[tuple[str, int, bool]] = []

    async def write(self, conn: Any, changes: Sequence[Change]) -> Sequence[Disposition]:
        self.fresh += [(change.event.id, change.event.version, change.fresh) for change in changes]
        return await super().write(conn, changes)


async def test_only_what_nothing_was_taken_of_is_fresh(pool: asyncpg.Pool) -> None:
    sink = _Told(pool)
    await sink.open()
    consuming, stop = runner(sink, pool), asyncio.Event()
    await consuming.take(batch([event("a", 1, "one"), event("gone", 1, None), event("bad", 1, "broken")]), stop)
    again = [event("a", 1, "one"), event("gone", 2, "back"), event("bad", 2, "good"), event("b", 2, "late")]
    await consuming.take(batch(again), stop)
    assert [told for told in sink.fresh if told[0] != "bad" or told[1] == 2] == [
        *[("a", 1, True), ("gone", 1, True)],
        *[("a", 1, False), ("gone", 2, False), ("bad", 2, False), ("b", 2, True)],
    ]
    assert await dead_letters.listed(pool) == []


async def test_what_was_decided_for_a_person_is_kept_out(pool: asyncpg.Pool, sink: RecordingSink) -> None:
    running = runner(sink, pool)
    await running.take(batch([event("o", 1, "a"), event("q", 1, "b", patient="other")]), asyncio.Event())
    person = await pool.fetchval("SELECT person FROM identity.person_patient WHERE patient_id = 'p'")
    await pool.execute(
        "INSERT INTO identity.decision (person, purpose, decision, reason)"
        " VALUES ($1, 'care', 'withdraw', 'opposition'),"
        " ($1, 'research', 'deliver', ''), ($1, 'care', 'deliver', 'older')",
        person,
    )
    await running.take(batch([event("o", 1, "a"), event("q", 1, "b", patient="other")]), asyncio.Event())
    assert [row[1] for row in await rows(pool)] == ["q"]
    booked = await pool.fetchrow("SELECT state, reason, person FROM bus.ledger WHERE id = 'o'")
    assert tuple(booked) == ("withheld", "opposition", person)


async def test_two_patients_are_two_persons_and_every_process_sees_the_same(
    pool: asyncpg.Pool, sink: RecordingSink
) -> None:
    events = [event(f"o{n}", 1, "a", patient=f"p{n % 3}") for n in range(9)]
    await asyncio.gather(*(runner(sink, pool).take(batch(events[n::3]), asyncio.Event()) for n in range(3)))
    found = await pool.fetch("SELECT id, person FROM recording.row ORDER BY id")
    persons = {int(row["id"][1:]) % 3: row["person"] for row in found}
    assert len(set(persons.values())) == 3
    assert all(row["person"] == persons[int(row["id"][1:]) % 3] for row in found)


class FlakySink(RecordingSink):
    """Fails as a database that is away, a few times."""

    failures = 3

    async def write(self, conn: Any, changes: Sequence[Change]) -> Sequence[Disposition]:
        if changes and self.failures:
            self.failures -= 1
            raise Unavailable("the neighbour is away")
        return await super().write(conn, changes)


async def test_what_passes_by_itself_is_tried_again_and_no_position_is_lost(pool: asyncpg.Pool) -> None:
    sink = FlakySink(pool)
    await sink.open()
    async with pool.acquire() as conn:
        await put(conn, [observation("o", "a")])
    await _consumed(pool, sink, 1)
    assert sink.failures == 0
    assert [row[1] for row in await rows(pool)] == ["o"]
    assert await dead_letters.listed(pool) == []


async def _begun_again(pool: asyncpg.Pool, sink: RecordingSink, stop: asyncio.Event) -> None:
    while not stop.is_set():
        try:
            await runner(sink, pool).run(stop)
        except Exception as error:
            if not transient(error):
                raise


async def test_rows_and_position_stand_together_when_connections_break(pool: asyncpg.Pool, sink: RecordingSink) -> None:
    async with pool.acquire() as conn:
        await put(conn, [observation(f"o{n}", "a") for n in range(200)])
    stop = asyncio.Event()
    running = asyncio.create_task(_begun_again(pool, sink, stop))
    for _ in range(10):
        await asyncio.sleep(0.01)
        with contextlib.suppress(asyncpg.PostgresError, asyncpg.InternalClientError):
            await pool.execute(BREAK)

    async def done() -> bool:
        return len(await rows(pool)) == 200

    await until(done, running)
    stop.set()
    await running


class StoppedBeforeCommit(EmbeddedLog):
    """Dies between the sink's commit and the log's."""

    async def commit(self, positions: Any) -> None:
        if any(at > 1 for at in positions.values()):
            raise SystemError("killed")


async def test_a_death_between_both_commits_doubles_nothing(pool: asyncpg.Pool, sink: RecordingSink) -> None:
    async with pool.acquire() as conn:
        await put(conn, [observation(f"o{n}", "a") for n in range(5)])
    dying = StoppedBeforeCommit(pool, sink.name, sorted(sink.types))
    with pytest.raises(SystemError):
        await runner(sink, pool, dying).run(asyncio.Event())
    async with pool.acquire() as conn:
        await put(conn, [observation("next", "a")])
    await _consumed(pool, sink, 6)
    assert await pool.fetchval("SELECT count(*) FROM recording.write") == 6


async def test_a_zombie_cannot_write_once_another_has_taken_over(pool: asyncpg.Pool, sink: RecordingSink) -> None:
    zombie = Offsets(pool, sink.name, 1)
    await zombie.claim(PARTITIONS)
    await Offsets(pool, sink.name, 1).claim(PARTITIONS)
    running = runner(sink, pool)
    running._offsets = zombie
    late = batch([event("o", 1, "a")])
    with pytest.raises(Fenced):
        await running.take(Batch(late.records, {PARTITIONS[0]: 2}), asyncio.Event())
    assert await rows(pool) == []
    assert await pool.fetchval("SELECT count(*) FROM bus.ledger") == 0


async def test_a_record_that_cannot_be_read_is_parked_under_its_place(pool: asyncpg.Pool, sink: RecordingSink) -> None:
    known = batch([event("o", 2, "a")]).records[0]._replace(problem="body encoding zip is not known")
    unknown = batch([event("t/0/7", 0, "a")]).records[0]._replace(problem="not a record of this bus")
    await runner(sink, pool).take(Batch([known, unknown], {}, -1), asyncio.Event())
    parked = {letter.id: letter.reason for letter in await dead_letters.listed(pool)}
    assert parked == {"o": "body encoding zip is not known", "t/0/7": "not a record of this bus"}
    assert (await ledger.books(pool, pool, sink.name, sink.types)).dead == 1

"""However often and in whatever order events arrive, the sink ends in the same state."""

from __future__ import annotations

import asyncio
import random
from typing import NamedTuple

import asyncpg
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from consumers import ledger
from consumers.gate import Gate
from consumers.persons import Persons
from consumers.prepare import Prepare
from ecluse.bus.epoch import Lives
from ecluse.bus.event import Event
from tests.integration.consumers.given import batch, event, no_reference, runner
from tests.integration.consumers.recording import RecordingSink, rows

TEXTS = st.sampled_from(["a", "b", "excluded", "unmappable", "unwritable", None])
HISTORIES = st.lists(st.lists(TEXTS, min_size=1, max_size=5), min_size=1, max_size=5)


class Delivery(NamedTuple):
    """Histories of some resources, and the chance that shuffles, doubles and cuts them."""

    histories: list[list[str | None]]
    seed: int

    def events(self) -> list[Event]:
        """Every version, in order."""
        return [
            event(f"o{number}", version, text, epoch=1 + version // 4)
            for number, history in enumerate(self.histories)
            for version, text in enumerate(history, 1)
        ]

    def batches(self) -> list[list[Event]]:
        """Every version at least once, in any order, in any cut."""
        chance = random.Random(self.seed)
        events = self.events()
        events += [chance.choice(events) for _ in range(chance.randint(0, len(events)))]
        chance.shuffle(events)
        cuts = sorted(chance.choices(range(len(events) + 1), k=3))
        return [events[low:high] for low, high in zip([0, *cuts], [*cuts, len(events)], strict=True)]


async def _state(pool: asyncpg.Pool) -> tuple[object, ...]:
    booked = await pool.fetch("SELECT type, id, epoch, version, state, reason FROM bus.ledger ORDER BY 1, 2")
    dead = await pool.fetch("SELECT id, version FROM bus.dead_letter ORDER BY 1")
    return await rows(pool), [tuple(row) for row in booked], [tuple(row) for row in dead]


async def _empty(pool: asyncpg.Pool) -> None:
    await pool.execute("TRUNCATE recording.row, recording.write, bus.ledger, bus.dead_letter, bus.consumer_offset")


@settings(max_examples=40, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.builds(Delivery, HISTORIES, st.integers(0, 1000)))
async def test_any_redelivery_and_reordering_ends_alike(
    pool: asyncpg.Pool, sink: RecordingSink, delivery: Delivery
) -> None:
    states = []
    for batches in ([delivery.events()], delivery.batches()):
        await _empty(pool)
        running = runner(sink, pool)
        for events in batches:
            assert await running.take(batch(events), asyncio.Event())
        states.append(await _state(pool))
    assert states[0] == states[1]


async def test_an_older_version_after_a_delete_resurrects_nothing(pool: asyncpg.Pool, sink: RecordingSink) -> None:
    running = runner(sink, pool)
    for version, text in ((1, "a"), (3, None), (2, "b"), (1, "a")):
        await running.take(batch([event("o", version, text)]), asyncio.Event())
    assert await rows(pool) == []
    found = await ledger.books(pool, pool, sink.name, sink.types)
    assert (found.removed, found.mapped) == (1, 0)


async def test_what_a_restore_took_back_does_not_come_back_from_a_topic(
    pool: asyncpg.Pool, sink: RecordingSink
) -> None:
    lives = Lives(((1, 0), (2, 2)))
    running = runner(sink, pool)
    running._prepare = Prepare(sink, Persons(pool), Gate(pool), no_reference, lives)
    kept, lost, new = event("kept", 1, "a"), event("lost", 2, "b"), event("new", 3, "c", epoch=2)
    await running.take(batch([kept, lost, new]), asyncio.Event())
    assert [row[1] for row in await rows(pool)] == ["kept", "new"]


async def test_a_version_of_a_later_epoch_wins_over_a_higher_number(pool: asyncpg.Pool, sink: RecordingSink) -> None:
    running = runner(sink, pool)
    for version, epoch, text in ((9, 1, "lost"), (7, 2, "restored"), (8, 1, "late")):
        await running.take(batch([event("o", version, text, epoch=epoch)]), asyncio.Event())
    assert [row[4] for row in await rows(pool)] == ["restored"]

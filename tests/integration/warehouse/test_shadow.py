"""A shadow that nobody goes on with, and one that is filled from topics which do not tell all."""

from __future__ import annotations

import pytest

from consumers import abandoned, resync
from consumers.following import Redecided, Untold
from consumers.gate import Gate
from consumers.warehouse.shadow import WarehouseCopy
from ecluse.bus.log import Batch
from ecluse.core.db.databases import Databases
from ecluse.core.errors import BadRequest
from tests.conftest import SettingsFactory
from tests.integration.bus.store import Put, put


@pytest.fixture
def copy(settings: SettingsFactory, databases: Databases) -> WarehouseCopy:
    """A copy that was not begun."""
    return WarehouseCopy(settings(), databases)


async def begun(copy: WarehouseCopy, hours: int) -> None:
    """A copy with which somebody went on so long ago."""
    async with copy.pool.acquire() as conn:
        await copy.make(conn)
        await conn.execute(
            "INSERT INTO bus.consumer (consumer, epoch, walking, updated) "
            "VALUES ($1, 1, true, now() - make_interval(hours => $2))",
            copy.name,
            hours,
        )


async def test_a_shadow_that_nobody_has_gone_on_with_for_a_day_is_dropped(copy: WarehouseCopy) -> None:
    assert not await abandoned.expire(copy, copy.pool)
    await begun(copy, 23)
    assert not await abandoned.expire(copy, copy.pool)
    assert await copy.stands(copy.pool)
    await copy.pool.execute("UPDATE bus.consumer SET updated = updated - interval '2 hours'")
    assert await abandoned.expire(copy, copy.pool)
    assert not await copy.stands(copy.pool)
    assert await copy.pool.fetchval("SELECT count(*) FROM bus.consumer") == 0
    assert not await abandoned.expire(copy, copy.pool)


async def test_one_that_is_being_built_stays(copy: WarehouseCopy) -> None:
    await begun(copy, 48)
    async with abandoned.alone(copy):
        with pytest.raises(BadRequest):
            await abandoned.expire(copy, copy.pool)
    assert await copy.stands(copy.pool)


async def booked(copy: WarehouseCopy, consumer: str, rows: dict[str, tuple[int, bool]]) -> None:
    """What a consumer has taken: (version, gone) of patients."""
    await copy.pool.executemany(
        "INSERT INTO bus.ledger (consumer, site, type, id, epoch, version, deleted, state, reason) "
        "VALUES ($1, 'default', 'Patient', $2, 1, $3, $4, 'mapped', '')",
        [(consumer, patient, *row) for patient, row in rows.items()],
    )


async def test_what_no_topic_told_is_read_from_the_store_as_far_as_the_live_consumer_has_it(
    copy: WarehouseCopy, databases: Databases
) -> None:
    await begun(copy, 0)
    async with databases.store.acquire() as conn:
        await put(conn, [Put("Patient", name, {}) for name in ("untold", "older", "ahead", "told", "gone")])
        await put(conn, [Put("Patient", name, {}) for name in ("older", "ahead")])
        await put(conn, [Put("Patient", "gone")])
    live = {"untold": (1, False), "older": (2, False), "ahead": (1, False), "told": (1, False), "long-gone": (3, True)}
    await booked(copy, copy.live, live | {"gone": (2, True)})
    await booked(copy, copy.name, {"older": (1, False), "told": (1, False), "gone": (1, False)})
    taken: list[tuple[str, int, str]] = []

    async def take(batch: Batch) -> bool:
        taken.extend((record.event.id, record.event.version, record.event.op) for record in batch.records)
        return True

    untold = Untold(copy.pool, databases.store, copy)
    while await untold.step(take):
        assert await resync.progress(copy.pool, copy.name) is not None
    assert sorted(taken) == [("gone", 2, "deleted"), ("older", 2, "updated"), ("untold", 1, "updated")]
    assert await resync.progress(copy.pool, copy.name) is None
    assert not await untold.step(take)


async def test_what_is_decided_while_a_copy_is_filled_holds_in_it(copy: WarehouseCopy, databases: Databases) -> None:
    async with databases.store.acquire() as conn:
        await put(conn, [Put("Patient", name, {}) for name in ("p1", "p2", "p3", "p4")])
    await booked(copy, copy.live, {name: (1, False) for name in ("p1", "p2", "p3", "p4")})
    await booked(copy, copy.name, {name: (1, False) for name in ("p1", "p2", "p3", "p4")})
    await copy.pool.execute("UPDATE bus.ledger SET person = right(id, 1)::int")
    await copy.pool.execute("UPDATE bus.ledger SET state = 'withheld' WHERE id IN ('p3', 'p4')")
    taken: list[str] = []

    async def take(batch: Batch) -> bool:
        taken.extend(record.event.id for record in batch.records)
        await copy.pool.execute(
            "UPDATE bus.ledger SET state = CASE state WHEN 'mapped' THEN 'withheld' ELSE 'mapped' END "
            "WHERE id = ANY ($1)",
            [record.event.id for record in batch.records],
        )
        return True

    decided = Redecided(copy.pool, databases.store, Gate(databases.identity), copy, "research")
    await databases.identity.execute(
        "INSERT INTO identity.decision (person, purpose, decision, reason) "
        "VALUES (1, NULL, 'withdraw', ''), (2, 'care', 'withdraw', ''), (4, 'research', 'withhold', '')"
    )
    assert not await decided.settled()
    while await decided.step(take):
        assert not await decided.settled()
    # Newly held back, and no longer; neither what is for another purpose nor what is held back already.
    assert sorted(taken) == ["p1", "p3"]
    assert await decided.settled()
    await databases.identity.execute("UPDATE identity.decision SET until = now() WHERE person = 1")
    taken.clear()
    assert not await decided.settled()
    while await decided.step(take):
        pass
    assert taken == ["p1"]
    assert await decided.settled()

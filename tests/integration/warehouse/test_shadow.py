"""A shadow that nobody goes on with."""

from __future__ import annotations

import pytest

from consumers import abandoned
from consumers.warehouse import shadow as tables
from ecluse.core.db.databases import Databases
from ecluse.core.errors import BadRequest


async def begun(databases: Databases, hours: int) -> None:
    """A copy with which somebody went on so long ago."""
    async with databases.warehouse.acquire() as conn:
        await tables.make(conn)
        await conn.execute(
            "INSERT INTO bus.consumer (consumer, epoch, walking, updated) "
            "VALUES ($1, 1, true, now() - make_interval(hours => $2))",
            abandoned.COPY,
            hours,
        )


async def test_a_shadow_that_nobody_has_gone_on_with_for_a_day_is_dropped(databases: Databases) -> None:
    assert not await abandoned.expire(databases)
    await begun(databases, 23)
    assert not await abandoned.expire(databases)
    assert await tables.stands(databases.warehouse)
    await databases.warehouse.execute("UPDATE bus.consumer SET updated = updated - interval '2 hours'")
    assert await abandoned.expire(databases)
    assert not await tables.stands(databases.warehouse)
    assert await databases.warehouse.fetchval("SELECT count(*) FROM bus.consumer") == 0
    assert not await abandoned.expire(databases)


async def test_one_that_is_being_built_stays(databases: Databases) -> None:
    await begun(databases, 48)
    async with abandoned.alone(databases.warehouse):
        with pytest.raises(BadRequest):
            await abandoned.expire(databases)
    assert await tables.stands(databases.warehouse)

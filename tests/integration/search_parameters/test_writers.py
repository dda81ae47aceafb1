"""A parameter is built after all who may not know it: writers of an older generation leave no resource without rows."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import asyncpg
import pytest

from ecluse.core import clock
from ecluse.core.fhir import types
from ecluse.related.registries import Registries
from fhir_server.search_parameters import building
from fhir_server.store import reindex
from fhir_server.store.erase import Erasure
from fhir_server.store.keys import Keys
from fhir_server.store.write import Context, Intent, intent, write
from mappers.search.registry import Registry

SITE = 1
WITHIN_S = 30
PARAMETER = {
    "resourceType": "SearchParameter",
    "url": "urn:ward",
    "name": "Ward",
    "status": "active",
    "description": "x",
    "code": "ward",
    "base": ["Patient"],
    "type": "token",
    "expression": "Patient.extension('urn:ward').value.as(Coding)",
}


class Process:
    """What one server process knows, and its writes."""

    def __init__(self, pool: asyncpg.Pool) -> None:
        self.pool = pool
        self.keys = Keys()
        self.registries = Registries()

    @property
    def context(self) -> Context:
        """Where its writes come from."""
        return Context(SITE, "default", "", "r", "fhir+json", clock.now(), registries=self.registries)

    async def write(self, *intents: Intent) -> list[str]:
        """The ids of what was written, committed."""
        async with self.pool.acquire() as conn, conn.transaction():
            return [one.id for one in await write(conn, self.keys, intents, self.context)]

    async def registry(self) -> Registry:
        """The parameters that the site has now."""
        async with self.pool.acquire() as conn:
            return await self.registries.current(conn, SITE)


def patient(ward: str, own: str = "") -> Intent:
    """A new Patient of a ward, or the next version of one."""
    body: dict[str, Any] = {
        "resourceType": "Patient",
        "extension": [{"url": "urn:ward", "valueCoding": {"code": ward}}],
    }
    return intent(body, own or clock.new_id(), new=not own)


def parameter(**members: Any) -> Intent:
    """The SearchParameter, or its next version."""
    return intent(PARAMETER | members, "ward")


@pytest.fixture
async def build(pool: asyncpg.Pool) -> AsyncIterator[None]:
    """Another process that does the building."""
    task = asyncio.create_task(building.keep(pool))
    yield
    task.cancel()
    await asyncio.wait([task])


async def state(pool: asyncpg.Pool) -> str:
    """That of the parameter; empty when it is gone."""
    return await pool.fetchval("SELECT state FROM fhir.parameter") or ""


async def until(pool: asyncpg.Pool, wanted: str) -> None:
    async with asyncio.timeout(WITHIN_S):
        while await state(pool) != wanted:
            await asyncio.sleep(0.01)


async def found(pool: asyncpg.Pool, ward: str) -> set[str]:
    """Ids of the Patients that have an index row for this ward."""
    rows = await pool.fetch(
        "SELECT r.id FROM fhir.token t JOIN fhir.resource r ON r.pk = t.pk AND r.site = 1"
        " WHERE t.path IN (SELECT number FROM fhir.parameter_path) AND t.code = $1",
        ward,
    )
    assert len(rows) == len({row["id"] for row in rows})
    return {row["id"] for row in rows}


@asynccontextmanager
async def under_way(process: Process, *intents: Intent) -> AsyncIterator[list[str]]:
    """A write whose transaction ends when the block does."""
    async with process.pool.acquire() as conn, conn.transaction():
        yield [one.id for one in await write(conn, process.keys, intents, process.context)]


async def test_building_waits_for_writers_that_did_not_know_it(pool: asyncpg.Pool, build: None) -> None:
    old, new = Process(pool), Process(pool)
    standing = await old.write(patient("a"))
    async with under_way(old, patient("a"), patient("b", standing[0])) as late:
        await new.write(parameter())
        with pytest.raises(TimeoutError):
            async with asyncio.timeout(2):
                await until(pool, "active")
        assert await state(pool) == "requested"
    await until(pool, "active")
    assert await found(pool, "a") == {late[0]}
    assert await found(pool, "b") == set(standing)


async def test_a_writer_that_comes_later_puts_its_rows_right_itself(pool: asyncpg.Pool) -> None:
    old, new = Process(pool), Process(pool)
    first, second = await old.write(patient("a"), patient("a"))
    await new.write(parameter())
    assert old.registries.known(SITE).generation == 0
    (created,) = await old.write(patient("b"))
    assert await found(pool, "b") == {created}
    stale = Process(pool)
    await stale.write(patient("b", first), Intent("Patient", second, None))
    assert await found(pool, "b") == {created, first}
    assert old.registries.known(SITE).generation == 1


async def test_no_row_comes_after_the_parameter_is_gone(pool: asyncpg.Pool, build: None) -> None:
    old, new = Process(pool), Process(pool)
    await new.write(parameter())
    await until(pool, "active")
    await old.registry()
    assert (await old.registry()).served("Patient")["ward"].url == "urn:ward"
    (number,) = [row["number"] for row in await pool.fetch("SELECT number FROM fhir.parameter_path")]
    async with under_way(old, patient("a")):
        await new.write(parameter(status="retired"))
        assert "ward" not in (await new.registry()).served("Patient")
    await until(pool, "")
    await old.write(patient("c"))
    assert await pool.fetchval("SELECT count(*) FROM fhir.token WHERE path = $1", number) == 0


async def test_a_number_is_free_again_and_old_writers_do_not_use_it(pool: asyncpg.Pool, build: None) -> None:
    old, new = Process(pool), Process(pool)
    await new.write(parameter())
    await until(pool, "active")
    await old.registry()
    await new.write(parameter(expression="Patient.extension('urn:floor').value.as(Coding)", code="floor"))
    async with asyncio.timeout(WITHIN_S):
        while await pool.fetchval("SELECT count(*) FROM fhir.parameter") > 1:
            await asyncio.sleep(0.01)
    await new.write(
        intent(
            PARAMETER
            | {
                "url": "urn:third",
                "code": "third",
                "base": ["Person"],
                "expression": "Person.extension('urn:third').value.as(Coding)",
            },
            "third",
        )
    )
    numbers = [row["number"] for row in await pool.fetch("SELECT number FROM fhir.parameter_path ORDER BY number")]
    assert numbers == [20000, 20001]
    await old.write(patient("a"))
    assert await pool.fetchval("SELECT count(*) FROM fhir.token WHERE path >= 20000") == 0


async def test_reindexing_and_erasing_by_old_processes_are_right(pool: asyncpg.Pool, build: None) -> None:
    old, new = Process(pool), Process(pool)
    kept, gone = await old.write(patient("a"), patient("a"))
    await new.write(parameter())
    await until(pool, "active")
    async with pool.acquire() as conn, conn.transaction():
        assert await reindex.compare_one(conn, old.registries, SITE, types.number_of["Patient"], kept) == 0
    stale = Process(pool)
    async with pool.acquire() as conn, conn.transaction():
        await Erasure(conn, stale.keys, stale.context).take([(types.number_of["Patient"], gone)])
    assert await found(pool, "a") == {kept}


async def test_what_is_cut_off_goes_on_in_another_process(pool: asyncpg.Pool) -> None:
    process = Process(pool)
    count = 1200
    await process.write(*(patient("a") for _ in range(count)))
    await process.write(parameter())
    reached: list[int] = []
    while await state(pool) != "active":
        task = asyncio.create_task(building.keep(pool))
        async with asyncio.timeout(WITHIN_S):
            before = await _place(pool)
            while await _place(pool) == before:
                await asyncio.sleep(0.001)
        task.cancel()
        await asyncio.wait([task])
        reached.append(await pool.fetchval("SELECT done FROM fhir.parameter"))
    assert len(await found(pool, "a")) == count
    assert len(set(reached)) > 2, reached


async def _place(pool: asyncpg.Pool) -> tuple[Any, ...]:
    """How far the building is."""
    return tuple(await pool.fetchrow("SELECT state, place_pk FROM fhir.parameter"))

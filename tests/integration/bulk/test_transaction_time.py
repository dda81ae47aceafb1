"""Exports beside writers: what is committed by the transactionTime is there, and a chain of `_since` loses nothing."""

from __future__ import annotations

import asyncio
import random
from contextlib import suppress
from typing import Any

import asyncpg

from ecluse.core.errors import Undone
from tests.integration.bulk.exporting import Store

WRITERS, WRITES, RESOURCES, ROUNDS = 6, 40, 25, 3


async def test_what_a_transaction_held_open_across_an_export_writes_comes_with_the_next(store: Store) -> None:
    async with store.server.transaction() as conn:
        await store.put(conn, ["early"], "x")
    async with store.server.transaction() as conn:
        await store.put(conn, ["late"], "x")
        first = await store.export()
    assert set(first.versions) == {"early"}
    second = await store.export(first.time)
    assert "late" in second.versions


async def test_so_does_what_is_written_by_one_that_had_only_begun(store: Store) -> None:
    async with store.server.transaction() as conn:
        first = await store.export()
        await store.put(conn, ["late"], "x")
    assert first.versions == {}
    assert "late" in (await store.export(first.time)).versions


async def test_a_deletion_held_open_across_an_export_is_told_by_the_next(store: Store) -> None:
    async with store.server.transaction() as conn:
        await store.put(conn, ["gone"], "x")
    async with store.server.transaction() as conn:
        await store.delete(conn, ["gone"])
        first = await store.export()
    assert set(first.versions) == {"gone"}
    second = await store.export(first.time)
    assert (second.versions, second.deleted) == ({}, {"gone"})


async def test_a_foreign_writer_of_the_tables_counts_and_a_reader_does_not(store: Store, database: str) -> None:
    async with store.server.transaction() as conn:
        await store.put(conn, ["early"], "x")
    reader = await asyncpg.connect(database)
    try:
        async with reader.transaction(isolation="repeatable_read"):
            started = await reader.fetchval("SELECT now() FROM fhir.version LIMIT 1")
            beside_a_reader = await store.export()
            await reader.execute("UPDATE fhir.resource SET deleted = deleted WHERE id = 'nobody'")
            beside_a_writer = await store.export()
    finally:
        await reader.close()
    assert beside_a_reader.time > started
    assert beside_a_writer.time < started


async def test_an_export_does_not_hold_back_another(store: Store) -> None:
    first, second = await asyncio.gather(store.export(), store.export())
    assert abs(first.time - second.time).total_seconds() < 5


async def _write(store: Store, number: int) -> None:
    chance = random.Random(number)
    for _ in range(WRITES):
        ids = chance.sample([f"b{each}" for each in range(RESOURCES)], chance.randint(1, 4))
        change = store.delete if chance.random() < 0.25 else store.put
        with suppress(Undone):  # two that make each other's resources may lock each other out; a server tries again
            async with store.server.transaction() as conn:
                await asyncio.sleep(chance.choice([0, 0, 0.002, 0.03]))
                await change(conn, ids, *(["x" + str(chance.random())] if change == store.put else []))
                await asyncio.sleep(chance.choice([0, 0, 0.002, 0.03]))


async def test_a_chain_of_exports_beside_writers_ends_in_the_state_of_the_store(store: Store) -> None:
    for number in range(ROUNDS):
        writing = asyncio.gather(*(_write(store, WRITERS * number + each) for each in range(WRITERS)))
        copy: dict[str, int] = {}
        since = None
        exports = 0
        ended = False
        while not ended:
            ended = writing.done()
            found = await store.export(since)
            assert not found.deleted & found.versions.keys()
            copy = {key: version for key, version in copy.items() if key not in found.deleted} | found.versions
            since, exports = found.time, exports + 1
        await writing
        assert exports > 3
        assert copy == await _present(store)


async def _present(store: Store) -> dict[str, Any]:
    async with store.server.connection() as conn:
        rows = await conn.fetch("SELECT id, version FROM fhir.resource WHERE NOT deleted")
    return dict(rows)

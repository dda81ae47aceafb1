"""Which release's search rows a store says it has."""

from __future__ import annotations

import asyncio
from contextlib import suppress

import asyncpg
import pytest

from ecluse.related.registries import Registries
from fhir_server.store import reindex
from mappers.search.rows import GENERATION
from tests.integration.consumers.given import until


async def test_a_new_store_has_those_of_this_release_before_it_is_filled(
    pool: asyncpg.Pool, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(reindex, "EVERY_S", 1e6)  # it looks once
    keeping = asyncio.create_task(reindex.keep(pool, Registries()))

    async def reached() -> bool:
        async with pool.acquire() as conn:
            return (await reindex.present(conn)).generation == GENERATION

    await until(reached, keeping)
    keeping.cancel()
    with suppress(asyncio.CancelledError):
        await keeping

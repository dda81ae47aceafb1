"""Fixtures of the bus and its consumers: each test has a migrated database and topics of its own."""

from __future__ import annotations

from collections.abc import AsyncIterator
from itertools import count

import asyncpg
import pytest

from ecluse.bus import epoch
from ecluse.core import clock
from ecluse.core.db.migrate import migrate
from ecluse.core.db.pool import open_pool
from ecluse.core.settings import Settings
from tests.integration.consumers.recording import RecordingSink

_numbers = count()


@pytest.fixture(scope="session")
def kafka() -> str:
    return "127.0.0.1:19492"


@pytest.fixture
async def database() -> AsyncIterator[str]:
    admin = "postgresql://postgres@127.0.0.1:15499/postgres"
    conn = await asyncpg.connect(admin)
    name = f"t{clock.new_id().replace('-', '')}"
    await conn.execute(f"CREATE DATABASE {name}")
    yield f"postgresql://postgres@127.0.0.1:15499/{name}"
    await conn.execute(f"DROP DATABASE {name} WITH (FORCE)")
    await conn.close()


@pytest.fixture
async def pool(database: str) -> AsyncIterator[asyncpg.Pool]:
    """Store, identities and a sink's tables in one empty database, in its first epoch."""
    pool = await open_pool(database, size=20, statement_timeout_ms=60_000)
    async with pool.acquire() as conn:
        await migrate(conn, ["store", "sink", "identity"])
        await epoch.settle(conn)
    yield pool
    await pool.close()


@pytest.fixture
async def sink(pool: asyncpg.Pool) -> RecordingSink:
    """A sink that records what it is told."""
    sink = RecordingSink(pool)
    await sink.open()
    return sink


@pytest.fixture
def on_kafka(kafka: str) -> Settings:
    """Settings of a bus on the real broker, with topics that no other test has."""
    prefix = f"t{clock.new_id()[-12:]}{next(_numbers)}."
    return Settings(bus="kafka", kafka_bootstrap=kafka, kafka_prefix=prefix, kafka_partitions=4)

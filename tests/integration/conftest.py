"""Fixtures of the bus and its consumers: each test has a migrated database and topics of its own."""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterator
from itertools import count
from pathlib import Path

import asyncpg
import pytest

from ecluse.bus import epoch
from ecluse.core import clock
from ecluse.core.db.pool import open_pool
from ecluse.core.settings import Settings
from tests.integration.consumers.recording import RecordingSink
from tests.services.kafka import Broker, broker

_numbers = count()


@pytest.fixture
def own_kafka(tmp_path: Path) -> Iterator[Broker]:
    """A broker of this test alone, to be killed and started."""
    with broker(tmp_path / "kafka") as running:
        yield running


@pytest.fixture
async def pool(database: str) -> AsyncIterator[asyncpg.Pool]:
    """The test's database, in its first epoch."""
    pool = await open_pool(database, size=20, statement_timeout_ms=60_000)
    async with pool.acquire() as conn:
        await epoch.settle(conn)
    yield pool
    # A test that failed has left tasks behind that hold connections; they are not waited for.
    pool.terminate()


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

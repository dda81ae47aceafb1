"""A real server, started as an operator starts it, on a database of its own; one a test process."""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterator
from pathlib import Path

import asyncpg
import httpx
import pytest

from tests.services.postgres import Postgres
from tests.services.server import Served, serving

ACCEPT = {"Accept": "application/fhir+json"}
"""As clients of FHIR ask; without it a Binary answers in its own format."""


@pytest.fixture(scope="session")
def served(postgres: Postgres, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Served]:
    """The running server."""
    data: Path = tmp_path_factory.mktemp("data")
    hosts = "127.0.0.1,::1,localhost"
    given = {"ECLUSE_WORKERS": "2", "ECLUSE_HOOK_HOSTS": hosts}
    with postgres.database("template0") as url, serving(data, ECLUSE_DATABASE_URL=url, **given) as served:
        served.ecluse("site", "add", "north")
        yield served


@pytest.fixture(scope="session")
def fhir(served: Served) -> Iterator[httpx.Client]:
    """A client of the default site."""
    with httpx.Client(base_url=f"{served.url}/fhir", timeout=60, headers=ACCEPT) as client:
        yield client


@pytest.fixture(scope="session")
def other_site(served: Served) -> Iterator[httpx.Client]:
    """A client of the site `north`."""
    with httpx.Client(base_url=f"{served.url}/sites/north/fhir", timeout=60, headers=ACCEPT) as client:
        yield client


@pytest.fixture
async def store(served: Served) -> AsyncIterator[asyncpg.Connection]:
    """A connection to the server's store, for what no client can bring about."""
    conn = await asyncpg.connect(served.ecluse("dsn").strip())
    yield conn
    await conn.close()

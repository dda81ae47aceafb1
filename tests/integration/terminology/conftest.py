"""Databases in which R4's own terminology stands already: reading it in takes seconds, and is no subject here."""

from __future__ import annotations

from collections.abc import Iterator

import asyncpg
import pytest

from fhir_server.terminology import base
from tests.services.postgres import Postgres


@pytest.fixture
def database(postgres: Postgres) -> Iterator[str]:
    """The address of a database of this test alone."""
    with postgres.database(postgres.template("terminology", _read_in)) as url:
        yield url


async def _read_in(url: str) -> None:
    conn = await asyncpg.connect(url)
    await base.settle(conn)
    await conn.close()

"""A search that takes too long is stopped, says so, and leaves nothing behind."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import asyncpg
import httpx
import pytest

from tests.services.server import Served, serving

WAITING = """
    SELECT count(*) FROM pg_stat_activity
    WHERE datname = current_database() AND wait_event_type = 'Lock' AND query LIKE '%fhir.string%'"""


@pytest.fixture
def hasty(empty_database_url: str, tmp_path: Path) -> Iterator[Served]:
    """A server that gives a search a fifth of a second, and has one connection."""
    variables = {"ECLUSE_SEARCH_TIMEOUT_MS": "200", "ECLUSE_POOL_SIZE": "1", "ECLUSE_WORKERS": "1"}
    with serving(tmp_path / "data", ECLUSE_DATABASE_URL=empty_database_url, **variables) as served:
        yield served


async def test_a_search_that_takes_too_long_answers_503_with_advice(hasty: Served, empty_database_url: str) -> None:
    conn = await asyncpg.connect(empty_database_url)
    async with httpx.AsyncClient(base_url=f"{hasty.url}/fhir", timeout=60) as client:
        async with conn.transaction():
            await conn.execute("LOCK TABLE fhir.resource IN ACCESS EXCLUSIVE MODE")
            answer = await client.get("/Patient?name=someone")
            assert await conn.fetchval(WAITING) == 0, "the statement was left behind"
        assert answer.status_code == 503
        assert answer.headers["Retry-After"]
        (issue,) = answer.json()["issue"]
        assert issue["code"] == "timeout"
        assert "200 ms" in issue["details"]["text"]
        assert "ECLUSE_SEARCH_TIMEOUT_MS" in issue["details"]["text"]
        answer = await client.get("/Patient?name=someone")
        assert (answer.status_code, answer.json()["type"]) == (200, "searchset")
    await conn.close()


def test_reading_r4s_own_terminology_in_is_no_searchs_time(hasty: Served) -> None:
    answer = httpx.get(
        f"{hasty.url}/fhir/Patient?gender:in=http://hl7.org/fhir/ValueSet/administrative-gender", timeout=60
    )
    assert (answer.status_code, answer.json()["type"]) == (200, "searchset")

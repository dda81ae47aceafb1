"""Stored code systems are read into the tables by whoever asks first; several processes ask at once."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from typing import Any

import asyncpg
import pytest

from ecluse.core import clock
from ecluse.core.fhir import json
from fhir_server.store.keys import Keys
from fhir_server.store.write import Context, intent, write
from fhir_server.terminology import base, definitions, intake
from fhir_server.terminology.expanding import Asked, expansion
from fhir_server.terminology.membership import Coding, membership
from fhir_server.terminology.planning import Planner
from mappers.terminology.concept import Concept, Source

URL = "urn:letters"
SITE = 1
READERS = 8


def _system(*codes: str) -> dict[str, Any]:
    concepts = [{"code": code} for code in codes]
    return {"resourceType": "CodeSystem", "url": URL, "status": "active", "content": "complete", "concept": concepts}


@pytest.fixture
async def pool(database: str) -> AsyncIterator[asyncpg.Pool]:
    """The test's database, as so many processes use it."""
    async with asyncpg.create_pool(database, min_size=READERS, max_size=READERS + 1) as pool:
        yield pool


async def _store(pool: asyncpg.Pool, resource: dict[str, Any]) -> None:
    context = Context(SITE, "default", "", "r", "fhir+json", clock.now())
    async with pool.acquire() as conn, conn.transaction():
        await write(conn, Keys(), [intent({**resource, "id": "letters"}, "letters")], context)


async def _codes(pool: asyncpg.Pool) -> list[str]:
    async with pool.acquire() as conn:
        whole = {"resourceType": "ValueSet", "compose": {"include": [{"system": URL}]}}
        composed = await Planner(conn, SITE).composed(whole)
        found = await expansion(conn, composed, Asked(), [])
    return [one["code"] for one in found.get("contains", [])]


async def test_many_who_ask_at_once_read_a_new_version_once(pool: asyncpg.Pool) -> None:
    for codes in (["a", "b"], ["a", "b", "c"], ["c"]):
        await _store(pool, _system(*codes))
        assert await asyncio.gather(*(_codes(pool) for _ in range(READERS))) == [codes] * READERS
        count = "SELECT count(*) FROM terminology.definition WHERE resource_pk IS NOT NULL"
        assert await pool.fetchval(count) == 1


async def test_many_who_ask_first_take_r4_in_once(pool: asyncpg.Pool) -> None:
    async def settle() -> int:
        async with pool.acquire() as conn:
            return await base.settle(conn)

    assert await asyncio.gather(*(settle() for _ in range(READERS))) == [1] * READERS
    twice = "SELECT url FROM terminology.definition GROUP BY type, url, version HAVING count(*) > 1"
    assert await pool.fetch(twice) == []


async def test_who_has_found_a_code_system_can_read_it_while_it_is_replaced(pool: asyncpg.Pool) -> None:
    await _store(pool, _system("a", "b"))
    async with pool.acquire() as conn:
        whole = {"resourceType": "ValueSet", "compose": {"include": [{"system": URL}]}}
        composed = await Planner(conn, SITE).composed(whole)
        await _store(pool, _system("z"))
        assert await _codes(pool) == ["z"]
        found = await expansion(conn, composed, Asked(), [])
        assert [one["code"] for one in found["contains"]] == ["a", "b"]


async def test_what_was_replaced_is_swept_by_a_later_load(pool: asyncpg.Pool) -> None:
    await _store(pool, _system("a", "b"))
    await _codes(pool)
    await _store(pool, _system("z"))
    await _codes(pool)
    orphans = (
        "SELECT count(*) FROM terminology.concept k JOIN terminology.definition d ON d.pk = k.system AND d.site = -1"
    )
    assert await pool.fetchval(orphans) == 2
    await pool.execute("UPDATE terminology.definition SET loaded_at = loaded_at - interval '1 hour' WHERE site = -1")
    await _store(pool, _system("y"))
    assert await _codes(pool) == ["y"]
    without = "SELECT code FROM terminology.concept WHERE system NOT IN (SELECT pk FROM terminology.definition)"
    assert await pool.fetch(without) == []


async def test_a_load_that_fails_leaves_the_old_one(pool: asyncpg.Pool) -> None:
    header = {"resourceType": "CodeSystem", "url": "urn:loaded", "content": "complete", "status": "active"}

    def broken() -> Any:
        yield Concept("new")
        raise ValueError("a wrong line")

    async with pool.acquire() as conn:
        taken = await intake.take_system(conn, "file", Source(header, lambda: [Concept("old")]), b"1")
        assert taken is not None and taken.concepts == 1
        with pytest.raises(ValueError, match="a wrong line"):
            await intake.take_system(conn, "file", Source(header, broken), b"2")
        assert [one.result for one in await membership(conn, SITE, "urn:none", [Coding("x")])] == [None]
        found = await definitions.find(conn, SITE, "CodeSystem", "urn:loaded")
        assert found is not None and found.concepts == 1
        assert await intake.take_system(conn, "file", Source(header, lambda: [Concept("old")]), b"1") is None


async def test_the_same_package_again_takes_nothing_and_a_changed_one_takes_the_change(pool: asyncpg.Pool) -> None:
    one = {**_system("a"), "url": "urn:one"}
    two = {
        "resourceType": "ValueSet",
        "url": "urn:two",
        "status": "active",
        "compose": {"include": [{"system": "urn:one"}]},
    }
    async with pool.acquire() as conn:
        assert [each.url for each in await intake.take(conn, "p#1", [one, two, {"resourceType": "Patient"}])] == [
            "urn:one",
            "urn:two",
        ]
        assert await intake.take(conn, "p#1", [one, two]) == []
        changed = json.decode(json.encode(one).replace(b'"a"', b'"b"'))
        assert [each.url for each in await intake.take(conn, "p#1", [changed, two])] == ["urn:one"]
        assert [one.result for one in await membership(conn, SITE, "urn:two", [Coding("a"), Coding("b")])] == [
            False,
            True,
        ]
        assert {held.url for held in await intake.held(conn)} == {"urn:one", "urn:two"}
        assert await intake.drop(conn, "p#1") == 2
        assert [one.result for one in await membership(conn, SITE, "urn:two", [Coding("b")])] == [None]

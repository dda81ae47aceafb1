"""`:contains` over many names: the index of letters is read, not every name, and what is found is what stands."""

from __future__ import annotations

from collections.abc import AsyncIterator

import asyncpg
import pytest

from fhir_server.search.conditions import Arguments
from fhir_server.search.parse import parse
from fhir_server.search.tree import Tree

HERE, ELSEWHERE = 1, 2
MANY = """
    INSERT INTO fhir.string (site, pk, path, folded, exact)
    SELECT $1, number, $2, md5(number::text), $3 FROM generate_series(1, 5000) number"""
FOUND = "SELECT pk FROM fhir.string WHERE site = $1 AND path = $2 AND exact <> '' AND folded LIKE $3"


def _of(search: str) -> tuple[str, list[object]]:
    arguments = Arguments()
    query = parse("Patient", search, base="http://here/fhir")
    return Tree(HERE, arguments).keys("Patient", query.conditions), arguments.values


def _path() -> int:
    (condition,) = parse("Patient", "family=x", base="http://here/fhir").conditions
    return int(condition.paths[0])  # type: ignore[union-attr]


@pytest.fixture
async def names(database: str) -> AsyncIterator[asyncpg.Connection]:
    """A connection to a store with the same 5,000 names at two sites, and as many displays of codes."""
    conn = await asyncpg.connect(database)
    for site, exact in ((HERE, "x"), (ELSEWHERE, "x"), (HERE, "")):
        await conn.execute(MANY, site, _path(), exact)
    await conn.execute("ANALYZE fhir.string")
    yield conn
    await conn.close()


@pytest.mark.parametrize("part", ["abcd", "0ff", "e1d2c3", "ab", "zzz"])
async def test_what_is_found_is_what_has_the_part(names: asyncpg.Connection, part: str) -> None:
    sql, arguments = _of(f"family:contains={part}")
    found = {row["pk"] for row in await names.fetch(sql, *arguments)}
    assert found == {row["pk"] for row in await names.fetch(FOUND, HERE, _path(), f"%{part}%")}
    assert bool(found) is (part not in ("e1d2c3", "zzz"))


@pytest.mark.parametrize(
    ("search", "served"),
    [
        ("family:contains=abcd", True),
        ("family:contains=abcd,0ff1", True),
        ("_filter=family co abcd", True),
        ("_filter=family ew abcd", True),
        ("family:contains=ab", False),
        ("family:contains=abcd,0f", False),
    ],
)
async def test_the_index_of_letters_is_read_where_a_part_has_three(
    names: asyncpg.Connection, search: str, served: bool
) -> None:
    sql, arguments = _of(search)
    plan = await names.fetchval(f"EXPLAIN (FORMAT JSON) {sql}", *arguments)
    assert ("string_grams" in plan) is served

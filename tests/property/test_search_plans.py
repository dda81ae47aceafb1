"""Every plan gives the same answer: whatever is counted, collected, joined, walked or given up, pages are the same."""

from __future__ import annotations

from collections.abc import Coroutine
from typing import Any
from urllib.parse import urlencode

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from fhir_server.search import compile, fetch, plan
from fhir_server.search.cursor import after
from fhir_server.search.parse import parse
from fhir_server.search.query import SearchQuery
from mappers.search.registry import served
from tests.property.test_search_finds_what_is_indexed import SITE, World, clause, world

__all__ = ["world"]

BOUNDS = {
    (plan, "MOST"): [0, 2, 10_000],
    (plan, "MOST_VALUES"): [0, 2, 2000],
    (plan, "ENOUGH"): [0, 200],
    (plan, "TIMES"): [0, 25],
    (plan, "SELECTIVE"): [0, 9],
    (compile, "WALKED"): [1, 3, 5000],
}
"""What plans hang on, from bounds that nothing stays below to those that are in force."""


class _Connection:
    """The world as a connection whose statements end at once."""

    def __init__(self, world: World) -> None:
        self._world = world

    async def fetch(self, sql: str, *arguments: Any) -> list[Any]:
        return self._world.fetch((sql, [*arguments]))

    async def fetchrow(self, sql: str, *arguments: Any) -> Any:
        return self._world.fetch((sql, [*arguments]))[0]


def _ended(coroutine: Coroutine[Any, Any, list[Any]]) -> list[Any]:
    try:
        coroutine.send(None)
    except StopIteration as end:
        found: list[Any] = end.value
        return found
    raise AssertionError("it waits for something")


def _pages(world: World, query: SearchQuery) -> list[list[str]]:
    """The ids of all pages, through each `next` link."""
    found: list[list[str]] = []
    while True:
        rows = _ended(fetch.page(_Connection(world), SITE, query))
        found.append([row["id"] for row in rows[: query.count]])
        if len(rows) <= query.count:
            return found
        text = urlencode([*query.understood, ("_cursor", after(query.sort, rows[query.count - 1]).text)])
        query = parse(query.type, text)


@settings(max_examples=400, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(data=st.data())
def test_pages_are_the_same_whatever_the_plan(world: World, data: st.DataObject) -> None:
    resource_type = data.draw(st.sampled_from(sorted(world.asked_for)))
    asked = [clause(data.draw, world, resource_type) for _ in range(data.draw(st.integers(1, 3)))]
    orders = [one.code for one in served(resource_type).values() if one.paths and one.type in ("date", "string")]
    order = data.draw(st.sampled_from(["", "_id", "_lastUpdated", *orders]))
    text = [(one.code, one.text) for one in asked]
    text += [("_sort", f"{data.draw(st.sampled_from(['', '-']))}{order}")] if order else []
    query = parse(resource_type, urlencode([*text, ("_count", str(data.draw(st.sampled_from([1, 2, 7]))))]))
    expected = _pages(world, query)
    with pytest.MonkeyPatch.context() as patch:
        for (module, name), values in BOUNDS.items():
            patch.setattr(module, name, data.draw(st.sampled_from(values)))
        assert _pages(world, query) == expected

"""Every prefix against every pair of a date in a query and a value in a resource: all precisions, open ends, zones.

The table is whole, not sampled: each date of a query is asked for with each prefix, of resources that have each value.
Spec: http://hl7.org/fhir/R4/search.html#prefix, http://hl7.org/fhir/R4/search.html#date
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest

from tests.property.search.asking import NOW, Asking, asking, frozen
from tests.property.search.definitions import Resource
from tests.property.search.evaluator import answer
from tests.property.search.pools import BASE
from tests.property.search.ranges import PREFIXES, of_date
from tests.property.search.world import World
from tests.services.postgres import Postgres

POINTS = (
    "2020", "2019", "2021", "2020-03", "2020-02", "2020-04", "2020-03-10", "2020-03-09", "2020-03-11", "2020-12-31",
    "2020-03-10T12:00:00Z", "2020-03-10T11:59:59Z", "2020-03-10T12:00:01Z", "2020-03-10T13:00:00+01:00",
    "2020-03-10T00:30:00+02:00", "2020-03-10T00:00:00Z", "2020-03-10T23:30:00-01:00", "2020-03-10T12:00:00.000Z",
    "2020-03-10T12:00:00.500Z", "2020-03-10T12:00:00.5Z", "2020-03-10T12:00:00.501+00:00",
)  # fmt: skip
"""Dates and dateTimes of a resource."""
INSTANTS = tuple(point for point in POINTS if "T" in point)
ASKED = (*POINTS, "2020-03-10T12:00", "2020-03-10T12:00Z", "2020-03-10T13:00+01:00", "2020-03-10T12:00:00")
"""Dates of a query: to the minute and without zone, too."""
PERIODS: tuple[dict[str, str], ...] = (
    *(
        {"start": start, "end": end}
        for start in POINTS[:16:3]
        for end in POINTS[:16:3]
        if of_date(start).low < of_date(end).high
    ),
    *({"start": point} for point in POINTS),
    *({"end": point} for point in POINTS),
)
TIMINGS: tuple[dict[str, Any], ...] = (
    {"event": ["2020-03-10"]},
    {"event": ["2020-03-11", "2019", "2020-03-10T12:00:00Z"]},
    {"repeat": {"boundsPeriod": {"start": "2020-03-01", "end": "2020-03-15"}}},
    {"repeat": {"boundsPeriod": {"start": "2020-03-10"}}},
    {"repeat": {"boundsPeriod": {"end": "2020-03-10"}}},
    {"event": ["2021-05"], "repeat": {"boundsPeriod": {"start": "2020-03", "end": "2020-03"}}},
    {"repeat": {"frequency": 1, "period": 1, "periodUnit": "d"}},
)
KINDS: dict[str, tuple[Any, ...]] = {
    "DateTime": POINTS,
    "Instant": INSTANTS,
    "Period": PERIODS,
    "Timing": TIMINGS,
}


def observations() -> Iterator[Resource]:
    """An Observation for each value; one has none."""
    for kind, values in KINDS.items():
        for number, value in enumerate(values):
            yield {
                "resourceType": "Observation",
                "id": f"{kind}-{number}",
                "status": "final",
                "code": {"text": str(value)},
                f"effective{kind}": value,
            }
    yield {"resourceType": "Observation", "id": "undated", "status": "final", "code": {"text": "none"}}


@pytest.fixture(scope="module")
def observed(postgres: Postgres, tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[Asking, World]]:
    with asking(postgres, tmp_path_factory.mktemp("data")) as found:
        found.store(list(observations()))
        yield found, World(found.resources, BASE, NOW)


@pytest.fixture
def dated(observed: tuple[Asking, World]) -> Iterator[tuple[Asking, World]]:
    with frozen(NOW):
        yield observed


@pytest.mark.parametrize("text", ASKED)
@pytest.mark.parametrize("prefix", ["", *PREFIXES])
def test_a_prefix_means_what_the_specification_says(dated: tuple[Asking, World], prefix: str, text: str) -> None:
    server, world = dated
    query = f"date={prefix}{text.replace('+', '%2B')}"
    (found,) = server.ask([("Observation", query)])
    expected = answer(world, "Observation", query)
    assert isinstance(found, list), found
    assert {_shown(world, each) for each in set(found) ^ set(expected)} == set()
    assert found == expected


def test_the_table_asks_something_of_every_prefix_and_kind(dated: tuple[Asking, World]) -> None:
    _, world = dated
    for prefix in PREFIXES:
        found = {name for text in ASKED for name in _answer(world, f"{prefix}{text}")}
        assert {name.partition("-")[0] for name in found} >= set(KINDS), prefix
        assert not all(len(_answer(world, f"{prefix}{text}")) == len(world.by_type["Observation"]) for text in ASKED)


def test_a_window_finds_what_touches_it(dated: tuple[Asking, World]) -> None:
    server, world = dated
    queries = [f"date=ge{low}&date=le{high}" for low in POINTS[:12] for high in POINTS[:12]]
    expected = [answer(world, "Observation", query) for query in queries]
    assert server.ask([("Observation", query) for query in queries]) == expected


def _shown(world: World, name: str) -> str:
    """The value of a resource, for who reads a difference."""
    return next(each["code"]["text"] for each in world.by_type["Observation"] if each["id"] == name)


def _answer(world: World, text: str) -> list[str]:
    return answer(world, "Observation", f"date={text.replace('+', '%2B')}")

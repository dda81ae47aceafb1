"""A sample of the same queries as clients ask them: by GET and as a form, of a server that runs as operators run it."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from decimal import Decimal
from functools import partial
from pathlib import Path
from random import Random
from typing import NamedTuple

import httpx
import pytest

from ecluse.core import clock
from tests.property.search.asking import encoded
from tests.property.search.evaluator import agree, answer
from tests.property.search.population import population
from tests.property.search.queries import Case, Queries
from tests.property.search.query_values import MODIFIED
from tests.property.search.test_answers import SHAPES
from tests.property.search.world import World
from tests.services.server import serving

SEED = 77
CASES = 6


class Client(NamedTuple):
    """A client of a running server, and the evaluator on the same resources."""

    http: httpx.Client
    world: World

    def asked(self, case: Case, *, form: bool) -> list[str]:
        """Ids of all matches, page after page."""
        found: list[str] = []
        query = f"{case.query}&_count=5"
        headers = {"Content-Type": "application/x-www-form-urlencoded"}
        answered = (
            self.http.post(f"{case.type}/_search", content=query, headers=headers)
            if form
            else self.http.get(f"{case.type}?{query}")
        )
        while True:
            assert answered.status_code == 200, f"{case}: {answered.text}"
            bundle = answered.json()
            found += [each["resource"]["id"] for each in bundle.get("entry", ())]
            following = next((link["url"] for link in bundle["link"] if link["relation"] == "next"), "")
            if not following:
                return found
            answered = self.http.get(following)


@pytest.fixture(scope="module")
def client(empty_database_url: str, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Client]:
    folder: Path = tmp_path_factory.mktemp("served")
    with serving(folder, ECLUSE_DATABASE_URL=empty_database_url, ECLUSE_VALIDATION="structure") as served:
        headers = {"Accept": "application/fhir+json", "Content-Type": "application/fhir+json"}
        with httpx.Client(base_url=f"{served.url}/fhir/", timeout=60, headers=headers) as http:
            resources = []
            for each in population(SEED):
                answered = http.put(f"{each['resourceType']}/{each['id']}", content=encoded(each))
                assert answered.status_code == 201, answered.text
                resources.append(json.loads(answered.content, parse_float=Decimal))
            yield Client(http, World(resources, f"{served.url}/fhir", clock.now()))


def settled(make: Callable[[], Case]) -> Case:
    """A case whose answer does not change while it is asked for: `ap` counts from now, and all was written just now."""
    while True:
        case = make()
        if "_lastUpdated" not in str(case) or "ap" not in str(case):
            return case


@pytest.mark.parametrize("kind", MODIFIED)
def test_clients_get_what_the_evaluator_answers(client: Client, kind: str) -> None:
    queries = Queries(client.world, Random(kind))
    for feature in MODIFIED[kind]:
        for number in range(CASES):
            case = settled(partial(queries.case, kind, feature))
            got = client.asked(case, form=number % 2 == 1)
            assert agree(case.query, got, answer(client.world, case.type, case.query)), case


@pytest.mark.parametrize("shape", SHAPES)
def test_clients_get_shapes_that_the_evaluator_answers(client: Client, shape: str) -> None:
    queries = Queries(client.world, Random(shape))
    for number in range(CASES):
        case = settled(partial(SHAPES[shape], queries))
        got = client.asked(case, form=number % 2 == 1)
        assert agree(case.query, got, answer(client.world, case.type, case.query)), case

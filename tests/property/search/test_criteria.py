"""Criteria of Subscriptions, evaluated on index rows alone, mean what a search means."""

from __future__ import annotations

import pytest

from ecluse.core.errors import Unprocessable
from ecluse.core.fhir import json
from ecluse.core.fhir.acceptance import accept
from fhir_server.subscriptions.condition import condition
from mappers.search.index import index_rows
from mappers.search.matches import matches
from tests.property.search.asking import encoded
from tests.property.search.comparing import Comparison
from tests.property.search.evaluator import answer
from tests.property.search.pools import BASE, CASELESS
from tests.property.search.queries import Case
from tests.property.search.query_values import MODIFIED
from tests.property.search.world import World

CASES_A_FEATURE = 60
NEED_MORE = {("token", "in"), ("token", "not-in"), ("token", "above"), ("token", "below"), ("special", "")}
"""Features that look beyond the resource, as what asks a code system whether case counts does; those of
`_lastUpdated` are refused as well."""


def _found(comparison: Comparison, case: Case) -> list[str]:
    """Ids of what matches, by the stored form of the criteria."""
    _, told = condition(f"{case.type}?{case.query}")
    stored = json.decode(json.encode(told))
    found: list[str] = []
    for resource in comparison.world.by_type.get(case.type, ()):
        rows = index_rows(case.type, accept(None, encoded(resource)))
        if matches(stored, resource["id"], rows):
            found.append(resource["id"])
    return sorted(found)


@pytest.mark.parametrize("kind", [kind for kind in MODIFIED if kind != "_lastUpdated"])
def test_criteria_match_what_a_search_finds(comparison: Comparison, kind: str) -> None:
    asked, telling = 0, 0
    known = comparison.world
    world = World([each for own in known.by_type.values() for each in own], "", known.now)  # criteria know no address
    for feature in MODIFIED[kind]:
        queries = comparison.queries(f"criteria-{kind}-{feature}")
        evaluated = 0
        for _ in range(CASES_A_FEATURE):
            case = queries.unsorted(kind, feature)
            if BASE in str(case) or f"{CASELESS}|" in str(case):
                continue
            expected = sorted(answer(world, case.type, case.query))
            try:
                got = _found(comparison, case)
            except Unprocessable:
                continue
            assert got == expected, str(case)
            evaluated += 1
            telling += 0 < len(got) < len(comparison.world.by_type[case.type])
        assert evaluated or (kind, feature) in NEED_MORE, feature
        asked += evaluated
    assert telling > asked / 20 or not asked

"""PostgreSQL answers what the evaluator answers: every search type with every modifier and prefix, in random queries.

A query asks for the feature of its test, often together with conditions of other kinds and an order. At least 2,000
cases a search type; `-m long` asks a million about many populations.
Spec: http://hl7.org/fhir/R4/search.html
"""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from math import ceil
from pathlib import Path

import pytest

from tests.property.search.asking import NOW, frozen
from tests.property.search.comparing import Comparison, stored
from tests.property.search.queries import SORTED, Case, Queries
from tests.property.search.query_values import MODIFIED
from tests.services.postgres import Postgres

CASES_A_TYPE = 2000
CASES_A_SHAPE = 200
LONG_CASES = 1_000_000
LONG_POPULATIONS = 50
FEATURES = [(kind, feature) for kind, features in MODIFIED.items() for feature in features]

SHAPES: dict[str, Callable[[Queries], Case]] = {
    **{f"sort-{kind}": lambda queries, kind=kind: queries.sorted(kind) for kind in SORTED},  # type: ignore[misc]
    "chain": lambda queries: queries.chain(1),
    "chain-of-two": lambda queries: queries.chain(2),
    "chain-of-three": lambda queries: queries.chain(3),
    "has": lambda queries: queries.has(1, 0),
    "has-in-has": lambda queries: queries.has(2, 0),
    "chain-in-has": lambda queries: queries.has(1, 1),
    "long-chain-in-has": lambda queries: queries.has(2, 2),
    "chain-by-address": lambda queries: queries.by_address(partial(queries.chain, 1)),
    "has-by-address": lambda queries: queries.by_address(partial(queries.has, 1, 0)),
    "chain-in-has-by-address": lambda queries: queries.by_address(partial(queries.has, 1, 1)),
    "list": lambda queries: queries.listed(),
    "filter": lambda queries: queries.filtered(),
}
"""What is asked beside the modifiers and prefixes of one parameter."""


def named(kind: str, feature: str) -> str:
    """The name of a feature's test: `token-not`."""
    return f"{kind}-{feature or 'plain'}"


@pytest.mark.parametrize(("kind", "feature"), FEATURES, ids=[named(*each) for each in FEATURES])
def test_a_feature_means_what_the_specification_says(comparison: Comparison, kind: str, feature: str) -> None:
    queries = comparison.queries(named(kind, feature))
    tally = comparison.check(lambda: queries.case(kind, feature), ceil(CASES_A_TYPE / len(MODIFIED[kind])))
    assert tally.telling > tally.asked / 20


@pytest.mark.parametrize("shape", SHAPES)
def test_a_shape_means_what_the_specification_says(comparison: Comparison, shape: str) -> None:
    queries = comparison.queries(shape)
    tally = comparison.check(lambda: SHAPES[shape](queries), CASES_A_SHAPE)
    assert tally.telling > tally.asked / 20 or shape.startswith("sort")


def test_the_comparison_fails_on_a_wrong_answer(comparison: Comparison) -> None:
    gone = comparison.world.by_type["Patient"].pop()
    try:
        with pytest.raises(AssertionError, match="expected"):
            comparison.check(lambda: Case("Patient", ()), 1)
    finally:
        comparison.world.by_type["Patient"].append(gone)


@pytest.mark.long
@pytest.mark.timeout(0)
@pytest.mark.parametrize("seed", range(LONG_POPULATIONS))
def test_a_million_cases(postgres: Postgres, tmp_path: Path, seed: int) -> None:
    each = ceil(LONG_CASES / LONG_POPULATIONS / (len(FEATURES) + len(SHAPES)))
    with stored(postgres, tmp_path, 1000 + seed) as comparison, frozen(NOW):
        for kind, feature in FEATURES:
            queries = comparison.queries(f"{seed} {kind} {feature}")
            comparison.check(lambda queries=queries, kind=kind, feature=feature: queries.case(kind, feature), each)  # type: ignore[misc]
        for shape, make in SHAPES.items():
            queries = comparison.queries(f"{seed} {shape}")
            comparison.check(lambda queries=queries, make=make: make(queries), each)  # type: ignore[misc]

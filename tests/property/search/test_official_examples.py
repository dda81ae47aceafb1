"""The official examples of all types, by all parameters that have values in them: the server and the evaluator agree.

Value sets and hierarchies of codes are left to the populations, which have code systems of their own.
"""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from tests.property.search.asking import NOW, frozen
from tests.property.search.comparing import Comparison, holding
from tests.property.search.population import official_examples
from tests.property.search.queries import SORTED
from tests.property.search.query_values import MODIFIED
from tests.services.postgres import Postgres

CASES = 60
TERMINOLOGY = ("in", "not-in", "above", "below")
ASKED = {kind: [one for one in features if one not in TERMINOLOGY] for kind, features in MODIFIED.items()}


@pytest.fixture(scope="module")
def held(postgres: Postgres, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Comparison]:
    with holding(postgres, tmp_path_factory.mktemp("data"), official_examples()) as found:
        yield found


@pytest.fixture
def examples(held: Comparison) -> Iterator[Comparison]:
    with frozen(NOW):
        yield held


@pytest.mark.parametrize("kind", ASKED)
def test_official_examples_are_found_by_their_values(examples: Comparison, kind: str) -> None:
    queries = examples.queries(f"official {kind}", ASKED)
    for feature in ASKED[kind]:
        tally = examples.check(lambda feature=feature: queries.case(kind, feature), CASES)  # type: ignore[misc]
        assert tally.asked == CASES


@pytest.mark.parametrize("kind", SORTED)
def test_official_examples_come_in_order(examples: Comparison, kind: str) -> None:
    queries = examples.queries(f"official order {kind}", ASKED)
    examples.check(lambda: queries.sorted(kind), CASES)


def test_every_type_is_among_them(examples: Comparison) -> None:
    assert len(examples.world.by_type) > 130

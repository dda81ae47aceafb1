"""What random cases have found, each on the resources that show it: the server and the evaluator say the same.

Spec: http://hl7.org/fhir/R4/search.html
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest

from tests.property.search.asking import NOW, frozen
from tests.property.search.comparing import Comparison, holding
from tests.property.search.evaluator import answer
from tests.services.postgres import Postgres

RESOURCES: list[dict[str, Any]] = [
    {"resourceType": "Observation", "status": "final", "code": {"text": "x"}, "id": name, "valueQuantity": value}
    for name, value in {
        "below-0": {"value": 0, "comparator": "<"},
        "above-0": {"value": 0, "comparator": ">"},
        "above-0-mg": {"value": 0, "comparator": ">", "system": "http://unitsofmeasure.org", "code": "mg"},
        "0": {"value": 0},
    }.items()
]
TYPED = {"type": {"coding": [{"system": "urn:t", "code": "MR"}]}, "value": "b"}
RESOURCES += [
    {"resourceType": "ServiceRequest", "status": "active", "intent": "order", "subject": {"display": "x"}, "id": name}
    | {"requisition": requisition}
    for name, requisition in {"typed": TYPED, "plain": {"value": "a"}}.items()
]
CASES: list[tuple[str, str, list[str]]] = [
    ("ServiceRequest", "_sort=requisition", ["plain", "typed"]),
    ("ServiceRequest", "_sort=-requisition", ["typed", "plain"]),
    ("Observation", "value-quantity=lt0", ["below-0"]),
    ("Observation", "value-quantity=sa0", ["above-0", "above-0-mg"]),
    ("Observation", "value-quantity=eb0", ["below-0"]),
    ("Observation", "value-quantity=le0", ["below-0", "0"]),
    ("Observation", "value-quantity=sa0|http://unitsofmeasure.org|g", ["above-0-mg"]),
    ("Observation", f"value-quantity=lt0.{'0' * 4000}1", ["below-0", "above-0", "above-0-mg", "0"]),
]


@pytest.fixture(scope="module")
def held(postgres: Postgres, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Comparison]:
    with holding(postgres, tmp_path_factory.mktemp("data"), RESOURCES) as found:
        yield found


@pytest.mark.parametrize(("kind", "query", "expected"), CASES)
def test_what_was_found_once_is_right(held: Comparison, kind: str, query: str, expected: list[str]) -> None:
    with frozen(NOW):
        assert answer(held.world, kind, query) == expected
        assert held.asking.ask([(kind, query)]) == [expected]

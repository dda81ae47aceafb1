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
TYPED = {"type": {"coding": [{"system": "urn:t", "code": "MR"}]}, "system": "urn:s", "value": "b"}
RESOURCES += [
    {"resourceType": "ServiceRequest", "status": "active", "intent": "order", "subject": {"display": "x"}, "id": name}
    | {"requisition": requisition}
    for name, requisition in {"typed": TYPED, "plain": {"value": "a"}}.items()
]
KNOWN_AS = {"value": "1"}
SUBJECTS: dict[str, dict[str, Any]] = {
    "patient": {"reference": "Patient/1", "identifier": KNOWN_AS},
    "location": {"reference": "Location/1", "identifier": KNOWN_AS},
    "typed-patient": {"type": "Patient", "identifier": KNOWN_AS},
    "typed-location": {"type": "Location", "identifier": KNOWN_AS},
    "known-as": {"identifier": KNOWN_AS},
    "elsewhere": {"reference": "http://elsewhere.test/Location/1", "identifier": KNOWN_AS},
    "nobody": {"display": "nobody"},
}
RESOURCES += [
    {"resourceType": "DiagnosticReport", "status": "final", "code": {"text": "x"}, "id": name, "subject": subject}
    for name, subject in SUBJECTS.items()
]
MAY_BE_PATIENTS = ["patient", "typed-patient", "known-as", "elsewhere"]
CASES: list[tuple[str, str, list[str]]] = [
    ("DiagnosticReport", "patient:missing=false", MAY_BE_PATIENTS),
    ("DiagnosticReport", "patient:missing=true", ["location", "typed-location", "nobody"]),
    ("DiagnosticReport", "_filter=patient pr true", MAY_BE_PATIENTS),
    ("DiagnosticReport", "patient:identifier=1", MAY_BE_PATIENTS),
    ("DiagnosticReport", "patient:identifier=|1,x|2", MAY_BE_PATIENTS),
    ("DiagnosticReport", "_filter=patient identifier 1", MAY_BE_PATIENTS),
    ("DiagnosticReport", "subject:identifier=1", [name for name in SUBJECTS if name != "nobody"]),
    ("DiagnosticReport", "subject:missing=true", ["nobody"]),
    ("ServiceRequest", "_sort=requisition", ["plain", "typed"]),
    ("ServiceRequest", "_sort=-requisition", ["typed", "plain"]),
    ("ServiceRequest", "_filter=requisition ne urn:s|b", ["plain"]),
    ("ServiceRequest", "_filter=requisition ne urn:s|", ["plain"]),
    ("ServiceRequest", "_filter=requisition ne a", ["typed"]),
    ("ServiceRequest", "requisition:of-type=urn:t|MR|b", ["typed"]),
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

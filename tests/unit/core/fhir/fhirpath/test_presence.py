"""What is told of a condition without evaluating it is what comes out of it."""

from __future__ import annotations

from collections import Counter
from typing import Any

import pytest

from ecluse.core.fhir import json
from ecluse.core.fhir.definitions.rules import Rule
from ecluse.core.fhir.fhirpath.expression import compile
from ecluse.core.fhir.fhirpath.nodes import Node, descendants, element, root
from ecluse.core.fhir.fhirpath.presence import presence
from ecluse.core.fhir.validation.plan import plan
from tests.official import official_files
from tests.unit.core.fhir.validation.test_base import BROKEN

MOST_BYTES = 12_000


@pytest.mark.parametrize(
    ("condition", "value", "told"),
    [
        ("value.exists()", {"valueQuantity": {}}, True),
        ("value.exists()", {"_valueString": {}}, True),
        ("value.empty()", {}, True),
        ("value.exists().not() or code.exists()", {"valueString": "x", "code": {}}, True),
        ("value.exists() != component.exists()", {"valueString": "x"}, True),
        ("value.exists() xor component.exists()", {"valueString": "x", "component": [{}]}, False),
        ("component.where(code.exists()).empty()", {}, True),
        ("component.where(code.exists()).empty()", {"component": [{}]}, None),
        ("component.all(code.exists())", {}, True),
        ("status = 'final'", {"status": "final"}, True),
        ("status = 'final'", {"status": "amended"}, False),
        ("status = 'final'", {"_status": {}}, None),
        ("implicitRules = %ucum", {"implicitRules": "http://unitsofmeasure.org"}, True),
        ("issued = '2020'", {"issued": "2020"}, None),
        ("note = 'x'", {"note": "x"}, None),
        ("status = 'final' implies value.exists()", {"valueString": "x"}, True),
        ("status = 'final' and value.exists()", {}, False),
        ("nosuch.exists()", {}, None),
        ("descendants().exists()", {}, None),
        ("value.exists() and %resource.exists()", {"valueString": "x"}, None),
    ],
)
def test_a_condition_is_told(condition: str, value: dict[str, Any], told: bool | None) -> None:
    assert presence(condition, "Observation")(value) is told
    if told is not None:
        assert (compile(condition).holds(element(value, "Observation")) is True) is told


def contradictions(top: Node, seen: Counter[str]) -> list[str]:
    """Rules of which something else is told than comes out."""
    found = []
    for node in (top, *descendants(top)):
        for rule in plan(node.type).rules if isinstance(node.value, dict) else ():
            told = rule.told(node.value)
            seen[str(told)] += 1
            if told is not None and (rule.condition.holds(node) is True) is not told:
                found.append(f"{node.location} {rule.key} {told}")
    return found


def test_what_is_told_of_r4s_rules_is_what_comes_out_of_them() -> None:
    seen: Counter[str] = Counter()
    tops = [root(json.decode(path.read_bytes())) for path in official_files() if path.stat().st_size < MOST_BYTES]
    tops += [root(json.decode(json.encode(resource))) for resource, _ in BROKEN]
    assert [one for top in tops for one in contradictions(top, seen)] == []
    assert seen["True"] > 2 * seen["None"] and seen["False"] > 100


def test_a_wrong_word_would_be_seen() -> None:
    patient = root(json.decode(b'{"resourceType":"Patient","contact":[{"gender":"male"}]}'))
    (rule,) = plan("Patient.contact").rules
    assert not contradictions(patient, Counter())
    assert isinstance(rule, Rule) and rule.told({"gender": "male"}) is False

"""The evaluator says what the specification's own examples say, so that it can be trusted with all others.

Spec: http://hl7.org/fhir/R4/search.html
"""

from __future__ import annotations

from decimal import Decimal
from typing import Any

import pytest

from tests.property.search.asking import NOW
from tests.property.search.evaluator import answer
from tests.property.search.pools import BASE
from tests.property.search.units import UCUM
from tests.property.search.world import World

Example = tuple[str, dict[str, Any], str, bool]


def risk(probability: str) -> dict[str, Any]:
    return {"prediction": [{"probabilityDecimal": Decimal(probability)}]}


def measured(value: str, code: str) -> dict[str, Any]:
    return {"valueQuantity": {"value": Decimal(value), "unit": code, "system": UCUM, "code": code}}


def named(given: str) -> dict[str, Any]:
    return {"name": [{"given": [given]}]}


NUMBERS: list[Example] = [
    ("RiskAssessment", risk(value), f"probability={asked}", found)
    for asked, values in {
        "100": {"99.49": False, "99.5": True, "100.49": True, "100.5": False},
        "100.00": {"99.994": False, "99.995": True, "100": True, "100.005": False, "100.01": False},
        "1e2": {"94": False, "95": True, "104.9": True, "105": False},
        "lt100": {"99.99": True, "100": False},
        "le100": {"100": True, "100.01": False},
        "gt100": {"100": False, "100.01": True},
        "ge100": {"100": True, "99.99": False},
        "ne100": {"99.49": True, "100.4": False, "100.5": True},
        "gt0.8": {"0.81": True, "0.8": False},
    }.items()
    for value, found in values.items()
]
DATES: list[Example] = [
    ("Observation", {"effectiveDateTime": value}, f"date={asked}", found)
    for asked, values in {
        "eq2013-01-14": {"2013-01-14T00:00:00Z": True, "2013-01-14T10:00:00Z": True, "2013-01-15T00:00:00Z": False},
        "ne2013-01-14": {"2013-01-15T00:00:00Z": True, "2013-01-14T00:00:00Z": False, "2013-01-14T10:00:00Z": False},
        "lt2013-01-14T10:00": {"2013-01-14": True, "2013-01-15": False},
        "gt2013-01-14T10:00": {"2013-01-14": True, "2013-01-13": False},
        "sa2013-03-14": {"2013-03-15": True, "2013-03-14": False},
        "eb2013-03-14": {"2013-03-13": True, "2013-03-14": False},
    }.items()
    for value, found in values.items()
]
OTHERS: list[Example] = [
    ("Observation", {"effectivePeriod": {"start": "2013-01-21"}}, "date=ge2013-03-14", True),
    ("Observation", {"effectivePeriod": {"start": "2013-01-21"}}, "date=sa2013-03-14", False),
    ("Observation", {"effectivePeriod": {"end": "2013-01-21"}}, "date=le2013-01-01", True),
    ("Patient", named("Eve"), "given=eve", True),
    ("Patient", named("Evelyn"), "given=eve", True),
    ("Patient", named("Severine"), "given=eve", False),
    ("Patient", named("Severine"), "given:contains=eve", True),
    ("Patient", named("Eve"), "given:exact=Eve", True),
    ("Patient", named("eve"), "given:exact=Eve", False),
    ("Patient", {"gender": "male"}, "gender:not=male", False),
    ("Patient", {"gender": "female"}, "gender:not=male", True),
    ("Patient", {}, "gender:not=male", True),
    ("Patient", {}, "gender:missing=true", True),
    ("Patient", {"identifier": [{"system": "http://acme.org/patient", "value": "2345"}]}, "identifier=2345", True),
    ("Patient", {"identifier": [{"value": "2345"}]}, "identifier=http://acme.org/patient|2345", False),
    ("Patient", {"identifier": [{"value": "2345"}]}, "identifier=|2345", True),
    ("Observation", measured("5.44", "mg"), f"value-quantity=5.4|{UCUM}|mg", True),
    ("Observation", measured("5.45", "mg"), f"value-quantity=5.4|{UCUM}|mg", False),
    ("Observation", measured("0.0054", "g"), f"value-quantity=5.40e-3|{UCUM}|g", True),
    ("Observation", measured("0.0054", "g"), f"value-quantity=5.4|{UCUM}|mg", True),
    ("Observation", measured("5.41", "mg"), "value-quantity=5.4||mg", True),
    ("Observation", measured("6", "mg"), f"value-quantity=ap5.4|{UCUM}|mg", False),
    ("Observation", measured("5.9", "mg"), f"value-quantity=ap5.4|{UCUM}|mg", True),
    ("ValueSet", {"url": "http://acme.org/fhir/ValueSet/123"}, "url:below=http://acme.org/fhir/", True),
    ("ValueSet", {"url": "http://acme.org/fhir"}, "url:above=http://acme.org/fhir/ValueSet/123/_history/5", True),
    ("ValueSet", {"url": "http://acme.org/fhir/ValueSet/1"}, "url=http://acme.org/fhir/ValueSet/123", False),
    ("Location", {"position": {"latitude": -83.69, "longitude": 42.25}}, "near=-83.694810|42.256500|11.20|km", True),
    ("Patient", {"birthDate": "2000-02-03", **named("Eve")}, '_filter=given eq "eve" and birthdate ge 2000', True),
    ("Observation", {"contained": [{"resourceType": "Patient", "gender": "male"}]}, "subject.gender=male", False),
]


@pytest.mark.parametrize(("kind", "content", "query", "found"), [*NUMBERS, *DATES, *OTHERS])
def test_the_examples_of_the_specification(kind: str, content: dict[str, Any], query: str, found: bool) -> None:
    world = World([{"resourceType": kind, "id": "1", **content}], BASE, NOW)
    assert answer(world, kind, query.replace("+", "%2B")) == (["1"] if found else [])

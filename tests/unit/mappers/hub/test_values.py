"""Codes, units, pseudonyms and rules."""

from __future__ import annotations

import hashlib
import hmac
from base64 import b32encode
from typing import Any

import msgspec
import pytest

from mappers.hub import systems
from mappers.hub.rules import compiled
from tests.unit.mappers.hub.given import context, keys


@pytest.mark.parametrize(
    ("system", "code", "may_leave"),
    [
        ("http://loinc.org", "2823-3", True),
        ("http://loinc.org", "LA6576-8", True),
        ("http://loinc.org", "0612345678", False),
        ("http://snomed.info/sct", "373066001", True),
        ("http://snomed.info/sct", "0612345678", False),
        ("https://smt.esante.gouv.fr/terminologie-cim-10", "E11.40", True),
        ("https://smt.esante.gouv.fr/terminologie-cim-10", "U0710", True),
        ("https://smt.esante.gouv.fr/terminologie-cim-10", "MOREAU", False),
        ("https://smt.esante.gouv.fr/terminologie-ccam", "DEQP003", True),
        ("https://smt.esante.gouv.fr/terminologie-ccam", "JEANNE1", False),
        ("https://smt.esante.gouv.fr/terminologie-atc", "N02BE01", True),
        ("http://terminology.hl7.org/CodeSystem/v3-ActCode", "IMP", True),
        ("http://terminology.hl7.org/CodeSystem/v3-ActCode", "DUPONT", False),
        ("https://interop.esante.gouv.fr/ig/fhir/eds/CodeSystem/PMSIMCODiagType", "DP", True),
        ("https://chu.example/dim", "A1", False),
        ("http://loinc.org", "٢٨٢٣-٣", False),
    ],
)
def test_a_code_leaves_when_it_has_the_form_of_its_system(system: str, code: str, may_leave: bool) -> None:
    assert systems.known(system, code, {}) is may_leave


UNITS = "mm[Hg] 10*3/uL kg/m2 /min % mmol/L 1 /[HPF] mL/min/{1.73_m2} {score} m[iU]/L ng/mL meq/L".split()


@pytest.mark.parametrize(
    ("quantity", "unit"),
    [
        *(({"system": systems.UCUM, "code": code}, code) for code in UNITS),
        ({"system": systems.UCUM, "code": "mmol/L{MOREAU}"}, "mmol/L"),
        ({"system": systems.UCUM, "code": "{MOREAU}"}, "1"),
        ({"system": systems.UCUM, "code": "MOREAU", "unit": "mg"}, "mg"),
        ({"unit": "G/L"}, "10*9/L"),
        ({"unit": "mmHg"}, "mm[Hg]"),
        ({"unit": "cp de Jeanne"}, None),
        ({"system": "http://example.org", "code": "mg"}, None),
        ({"unit": "0612345678"}, None),
        ({}, None),
    ],
)
def test_a_unit_leaves_as_ucum_or_not_at_all(quantity: dict[str, Any], unit: str | None) -> None:
    assert systems.unit(quantity) == unit


def test_pseudonyms_are_ids_of_fhir_and_differ_by_site_type_id_and_purpose() -> None:
    one = keys()
    made = [
        one.of_person(7),
        one.of_resource("default", "Patient", "7"),
        one.of_resource("default", "Observation", "7"),
        one.of_resource("north", "Observation", "7"),
        one.of_record("default", "Observation", "7"),
        one.of_person(8),
    ]
    assert len(set(made)) == len(made)
    assert all(len(text) == 32 and text.isascii() and text.isalnum() for text in made)


def test_a_pseudonym_is_160_bits_of_hmac_sha256_in_base_32() -> None:
    one = keys()
    for number in range(50):
        digest = hmac.digest(one.resource, f"default/Observation/{number}".encode(), hashlib.sha256)
        expected = b32encode(digest[:20]).decode().lower()
        assert [one.of_resource("default", "Observation", str(number)) for _ in range(2)] == [expected] * 2


def test_keys_do_not_show_themselves() -> None:
    assert "\\x" not in repr(keys()) and "\\x" not in repr(context())


@pytest.mark.parametrize(
    "rule",
    [
        {"action": "keep"},
        {"action": "keep", "kind": "string"},
        {"action": "keep", "kind": "code"},
        {"action": "pseudonym"},
        {"action": "generalise", "to": "city"},
        {"action": "coding", "of": "string"},
        {"action": "encrypt"},
        {},
    ],
)
def test_a_rule_that_is_not_known_stops_the_start(rule: dict[str, Any]) -> None:
    with pytest.raises(ValueError, match="no action"):
        compiled({"name": rule})


def test_an_option_that_is_not_known_stops_the_start() -> None:
    with pytest.raises(msgspec.ValidationError, match="unknown field"):
        compiled({"name": {"action": "keep", "kind": "boolean", "unless": "x"}})

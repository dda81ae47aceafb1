"""ecluse/core/fhir/definitions/value_sets.py: membership that needs no database."""

from __future__ import annotations

import json

import pytest

from ecluse.core.fhir.definitions.value_sets import codes_of, is_member
from tests.official import official_files

GENDER = "http://hl7.org/fhir/ValueSet/administrative-gender"
VS = "http://hl7.org/fhir/ValueSet/"


def test_a_code_is_in_its_value_set_with_and_without_its_system() -> None:
    assert is_member(GENDER, "male") is True
    assert is_member(f"{GENDER}|4.0.1", "male", "http://hl7.org/fhir/administrative-gender") is True
    assert is_member(GENDER, "homme") is False
    assert is_member(GENDER, "male", "http://loinc.org") is False


def test_a_filter_takes_the_concept_and_all_below_it() -> None:
    act_mood = codes_of("http://terminology.hl7.org/ValueSet/v3-ActMoodIntent")
    assert act_mood is not None
    assert {"INT", "PRMS", "RQO"} <= act_mood["http://terminology.hl7.org/CodeSystem/v3-ActMood"]
    assert "EVN" not in act_mood["http://terminology.hl7.org/CodeSystem/v3-ActMood"]


@pytest.mark.parametrize("url", [f"{VS}observation-codes", f"{VS}condition-code", f"{VS}ucum-units", "urn:not-r4"])
def test_what_others_publish_is_not_told(url: str) -> None:
    assert is_member(url, "718-7", "http://loinc.org") is None


@pytest.mark.parametrize(
    ("code", "expected"), [("application/pdf", True), ("text/plain; charset=utf-8", True), ("pdf", False), ("", False)]
)
def test_media_types_are_known_by_their_grammar(code: str, expected: bool) -> None:
    assert is_member(f"{VS}mimetypes", code) is expected


@pytest.mark.parametrize(("code", "expected"), [("fr", True), ("fr-CA", True), ("french!", False), ("", False)])
def test_languages_are_known_by_their_grammar(code: str, expected: bool) -> None:
    assert is_member(f"{VS}all-languages", code, "urn:ietf:bcp:47") is expected


def test_every_required_binding_of_r4_is_told_but_for_units_and_two_of_loinc() -> None:
    bound = set()
    for path in official_files():
        if path.name.startswith("StructureDefinition-"):
            definition = json.loads(path.read_text())
            if definition.get("derivation") != "constraint" and definition["kind"] != "logical":
                bindings = [element.get("binding", {}) for element in definition["snapshot"]["element"]]
                bound |= {
                    one["valueSet"] for one in bindings if one.get("strength") == "required" and "valueSet" in one
                }
    assert len(bound) > 200
    untold = {url.partition("|")[0] for url in bound if is_member(url, "x") is None}
    assert untold == {f"{VS}ucum-units", "http://loinc.org/vs/LL379-9"}

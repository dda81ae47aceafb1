"""http://hl7.org/fhir/R4/conceptmap-operation-translate.html, over HTTP."""

from __future__ import annotations

from typing import Any

import httpx
import pytest

from tests.spec.terminology import Json, asked, called, outcome, stored, values

TRANSLATE = "/ConceptMap/$translate"
URL, LOCAL, STANDARD = "http://example.org/ConceptMap/lab", "http://example.org/local", "http://example.org/standard"


def _map(url: str = URL, **group: Any) -> Json:
    elements = [
        {"code": "GLU", "target": [{"code": "g-1", "display": "Glucose", "equivalence": "equivalent"}]},
        {
            "code": "NA",
            "target": [
                {"code": "na-serum", "equivalence": "narrower", "comment": "In serum only."},
                {"code": "na-any", "equivalence": "wider", "comment": "Of any material."},
            ],
        },
        {"code": "XYZ", "target": [{"equivalence": "unmatched", "comment": "Not a laboratory code."}]},
        {
            "code": "K",
            "target": [
                {
                    "code": "k-urine",
                    "equivalence": "equivalent",
                    "dependsOn": [{"property": "urn:material", "system": "urn:materials", "value": "urine"}],
                    "product": [{"property": "urn:unit", "system": "urn:units", "value": "mmol/24h"}],
                }
            ],
        },
    ]
    return {
        "resourceType": "ConceptMap",
        "url": url,
        "version": "1",
        "status": "active",
        "sourceCanonical": f"{url}/from",
        "targetCanonical": f"{url}/to",
        "group": [{"source": LOCAL, "target": STANDARD, "element": elements, **group}],
    }


@pytest.fixture(scope="module")
def laboratory(fhir: httpx.Client) -> str:
    """The id of the stored map."""
    return stored(fhir, _map())


def _matches(answer: Json) -> list[tuple[str, str]]:
    """(equivalence, code) of each match."""
    parts = [{part["name"]: part for part in one["part"]} for one in answer["parameter"] if one["name"] == "match"]
    return [
        (one["equivalence"]["valueCode"], one.get("concept", {}).get("valueCoding", {}).get("code", ""))
        for one in parts
    ]


def test_a_code_is_translated_with_its_source(fhir: httpx.Client, laboratory: str) -> None:
    answer = asked(fhir, TRANSLATE, url=URL, system=LOCAL, code="GLU")
    assert values(answer) == {"result": True}
    (match,) = [one for one in answer["parameter"] if one["name"] == "match"]
    assert match["part"] == [
        {"name": "equivalence", "valueCode": "equivalent"},
        {"name": "concept", "valueCoding": {"system": STANDARD, "code": "g-1", "display": "Glucose"}},
        {"name": "source", "valueUri": f"{URL}|1"},
    ]
    assert asked(fhir, f"/ConceptMap/{laboratory}/$translate", system=LOCAL, code="GLU") == answer
    coding = {"name": "coding", "valueCoding": {"system": LOCAL, "code": "GLU"}}
    assert called(fhir, TRANSLATE, {"name": "url", "valueUri": URL}, coding) == answer


def test_each_correspondence_comes_with_its_equivalence(fhir: httpx.Client, laboratory: str) -> None:
    answer = asked(fhir, TRANSLATE, url=URL, system=LOCAL, code="NA")
    assert _matches(answer) == [("narrower", "na-serum"), ("wider", "na-any")]


def test_what_has_no_match_is_told_with_its_reason(fhir: httpx.Client, laboratory: str) -> None:
    answer = asked(fhir, TRANSLATE, url=URL, system=LOCAL, code="XYZ")
    assert (values(answer)["result"], _matches(answer)) == (False, [("unmatched", "")])
    assert "Not a laboratory code." in values(answer)["message"]
    answer = asked(fhir, TRANSLATE, url=URL, system=LOCAL, code="nothing")
    assert values(answer) == {"result": False, "message": f"No concept map has {LOCAL}|nothing."}


def test_a_map_is_read_backwards(fhir: httpx.Client, laboratory: str) -> None:
    answer = asked(fhir, TRANSLATE, url=URL, system=STANDARD, code="na-any", reverse="true")
    assert _matches(answer) == [("narrower", "NA")]
    answer = asked(fhir, TRANSLATE, url=URL, system=STANDARD, code="g-1", reverse="true")
    assert _matches(answer) == [("equivalent", "GLU")]
    assert values(asked(fhir, TRANSLATE, url=URL, system=LOCAL, code="GLU", reverse="true"))["result"] is False


def test_a_dependency_must_be_given(fhir: httpx.Client, laboratory: str) -> None:
    url, code = {"name": "url", "valueUri": URL}, {"name": "coding", "valueCoding": {"system": LOCAL, "code": "K"}}
    assert values(called(fhir, TRANSLATE, url, code))["result"] is False

    def dependency(material: str) -> Json:
        concept = {"coding": [{"system": "urn:materials", "code": material}]}
        element = {"name": "element", "valueUri": "urn:material"}
        return {"name": "dependency", "part": [element, {"name": "concept", "valueCodeableConcept": concept}]}

    answer = called(fhir, TRANSLATE, url, code, dependency("urine"))
    assert _matches(answer) == [("equivalent", "k-urine")]
    (match,) = [one for one in answer["parameter"] if one["name"] == "match"]
    product = next(part for part in match["part"] if part["name"] == "product")
    assert product["part"][1]["valueCoding"] == {"system": "urn:units", "code": "mmol/24h"}
    assert values(called(fhir, TRANSLATE, url, code, dependency("blood")))["result"] is False


def test_without_a_map_all_that_fit_are_used(fhir: httpx.Client, laboratory: str) -> None:
    answer = asked(fhir, TRANSLATE, system=LOCAL, code="GLU", target=f"{URL}/to")
    assert _matches(answer) == [("equivalent", "g-1")]
    assert values(asked(fhir, TRANSLATE, system=LOCAL, code="GLU", target="urn:other"))["result"] is False
    answer = asked(fhir, TRANSLATE, system=LOCAL, code="GLU", targetsystem=STANDARD)
    assert ("equivalent", "g-1") in _matches(answer)
    assert _matches(asked(fhir, TRANSLATE, system=LOCAL, code="GLU", targetsystem="urn:other")) == []


def test_maps_of_r4_are_there_without_a_step(fhir: httpx.Client) -> None:
    url = "http://hl7.org/fhir/ConceptMap/cm-administrative-gender-v3"
    answer = asked(fhir, TRANSLATE, url=url, system="http://hl7.org/fhir/administrative-gender", code="female")
    assert _matches(answer) == [("equal", "F")]


@pytest.mark.parametrize(
    ("unmapped", "expected"),
    [
        ({"mode": "provided"}, [("equal", "QQ")]),
        ({"mode": "fixed", "code": "other", "display": "Other"}, [("inexact", "other")]),
        ({"mode": "other-map", "url": URL}, []),
    ],
)
def test_codes_that_a_map_does_not_have_follow_its_rule(
    fhir: httpx.Client, laboratory: str, unmapped: Json, expected: list[tuple[str, str]]
) -> None:
    given = {"name": "conceptMap", "resource": _map("urn:brought", unmapped=unmapped)}
    coding = {"name": "coding", "valueCoding": {"system": LOCAL, "code": "QQ"}}
    assert _matches(called(fhir, TRANSLATE, given, coding)) == expected


def test_another_map_takes_over_for_codes_that_a_map_does_not_have(fhir: httpx.Client, laboratory: str) -> None:
    empty = _map("urn:brought", unmapped={"mode": "other-map", "url": URL}, element=[{"code": "only"}])
    coding = {"name": "coding", "valueCoding": {"system": LOCAL, "code": "GLU"}}
    answer = called(fhir, TRANSLATE, {"name": "conceptMap", "resource": empty}, coding)
    assert _matches(answer) == [("equivalent", "g-1")]


def test_what_cannot_be_asked_is_refused_with_the_fix(fhir: httpx.Client, laboratory: str) -> None:
    code, text = outcome(asked(fhir, TRANSLATE, status=404, url="urn:none", system=LOCAL, code="GLU"))
    assert (code, "POST it as a ConceptMap" in text) == ("not-found", True)
    assert outcome(asked(fhir, TRANSLATE, status=400, url=URL, code="GLU"))[0] == "required"
    assert outcome(asked(fhir, TRANSLATE, status=400, url=URL, system=LOCAL))[0] == "required"
    assert outcome(asked(fhir, TRANSLATE, status=404, url=f"{URL}|9", system=LOCAL, code="GLU"))[0] == "not-found"
    twice = asked(fhir, f"/ConceptMap/{laboratory}/$translate", status=400, url=URL, system=LOCAL, code="GLU")
    assert "Name one concept map" in outcome(twice)[1]

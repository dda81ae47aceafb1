"""Extensible and preferred bindings of R4: a warning, an information, and silence where nothing is to be said."""

from __future__ import annotations

from typing import Any

import pytest

from ecluse.core.errors import Issue
from ecluse.core.fhir import json
from ecluse.core.fhir.validation.base import problems
from ecluse.core.fhir.validation.report import report
from ecluse.core.fhir.validation.wishes import wishes, without
from tests.cost import calls
from tests.official import official

MARITAL = "http://terminology.hl7.org/CodeSystem/v3-MaritalStatus"
CATEGORY = "http://terminology.hl7.org/CodeSystem/observation-category"


def coded(*codes: tuple[str, str]) -> dict[str, Any]:
    return {"coding": [{"system": system, "code": code} for system, code in codes]}


def told(resource: dict[str, Any]) -> list[tuple[str, str]]:
    """Place and severity of each wish."""
    return [(one.expression, one.severity) for one in wishes(json.decode(json.encode(resource)))]


@pytest.mark.parametrize(
    ("member", "wanted"),
    [
        ({"maritalStatus": coded((MARITAL, "M"))}, []),
        ({"maritalStatus": coded(("http://own.example", "x"))}, [("Patient.maritalStatus", "warning")]),
        ({"maritalStatus": coded((MARITAL, "nonsense"))}, [("Patient.maritalStatus", "warning")]),
        ({"maritalStatus": coded(("http://own.example", "x"), (MARITAL, "M"))}, []),
        ({"maritalStatus": {"text": "married"}}, []),
        ({"language": "tlh"}, [("Patient.language", "information")]),
        ({"language": "fr"}, []),
        (
            {"contact": [{"relationship": [coded(("http://own.example", "x"))]}]},
            [("Patient.contact[0].relationship[0]", "warning")],
        ),
        (
            {"identifier": [{"type": coded(("http://own.example", "x")), "value": "1"}]},
            [("Patient.identifier[0].type", "warning")],
        ),
        (
            {
                "contained": [
                    {"resourceType": "Patient", "id": "a", "maritalStatus": coded(("http://own.example", "x"))}
                ]
            },
            [("Patient.contained[0].maritalStatus", "warning")],
        ),
        (
            {
                "extension": [
                    {"url": "http://a.example", "valueIdentifier": {"type": coded(("http://own.example", "x"))}}
                ]
            },
            [("Patient.extension[0].value.type", "warning")],
        ),
    ],
)
def test_a_code_outside_of_the_value_set_is_told(member: dict[str, Any], wanted: list[tuple[str, str]]) -> None:
    assert told({"resourceType": "Patient"} | member) == wanted


def test_what_r4_does_not_list_is_left_alone() -> None:
    body_site = coded(("http://snomed.info/sct", "no such code"))
    assert told({"resourceType": "Observation", "bodySite": body_site, "code": body_site}) == []


def test_an_issue_says_what_is_wished_and_what_was_found() -> None:
    [issue] = wishes({"resourceType": "Observation", "category": [coded((CATEGORY, "vital-sign"))]})
    assert issue.text == (
        "Use one of activity, exam, imaging, laboratory, procedure, social-history, survey, therapy, vital-signs, with "
        f"the system {CATEGORY}. Did you mean vital-signs? "
        "R4 prefers these codes and allows others (preferred binding)."
    )
    assert (issue.code, issue.severity, issue.diagnostics) == ("code-invalid", "information", 'found "vital-sign"')


def test_a_report_has_them_and_what_a_write_is_checked_for_has_not() -> None:
    patient = {"resourceType": "Patient", "maritalStatus": coded(("http://own.example", "x"))}
    issues, _ = report("Patient", json.encode(patient))
    assert ("Patient.maritalStatus", "code-invalid") in {(one.expression, one.code) for one in issues}
    assert not [one for one in problems(patient) if one.code == "code-invalid"]


def test_a_place_that_a_profile_tells_about_is_told_once() -> None:
    [wish] = wishes({"resourceType": "Patient", "maritalStatus": coded(("http://own.example", "x"))}, "Bundle.entry[0]")
    own = Issue("by a profile", wish.expression, "", "code-invalid", "warning", "http://profile.example")
    other = Issue("an error", wish.expression, "", "code-invalid")
    assert without([wish, other], [own]) == [other]
    assert without([wish, other], []) == [wish, other]


def test_a_bundle_of_many_tells_as_many_as_are_listed() -> None:
    patient = {"resourceType": "Patient", "maritalStatus": coded(("http://own.example", "x"))}
    bundle = {"resourceType": "Bundle", "type": "collection", "entry": [{"resource": patient}] * 300}
    assert len(wishes(bundle)) == 200


def test_an_observation_costs_some_hundred_calls() -> None:
    resource = json.decode(official("Observation-blood-pressure"))
    wishes(resource)
    assert 0 < calls(wishes, resource) < 2000

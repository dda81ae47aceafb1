"""Required bindings, reference targets and invariants of the base specification."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from ecluse.core.fhir import json
from ecluse.core.fhir.definitions.build import read
from ecluse.core.fhir.definitions.build_rules import BROKEN_IN_OFFICIAL_FILES, rendered
from ecluse.core.fhir.definitions.rules import rules_of
from ecluse.core.fhir.fhirpath import scope
from ecluse.core.fhir.fhirpath.scope import MOST_WORK
from ecluse.core.fhir.validation.base import problems
from tests.cost import calls
from tests.fetched import CACHE
from tests.official import official, official_files


def found(resource: Any, **given: Any) -> list[tuple[str, str, str]]:
    """Place, code and severity of each issue but for missing narratives."""
    decoded = json.decode(json.encode(resource))
    issues = [issue for issue in problems(decoded, **given) if "(dom-6)" not in issue.text]
    return [(issue.expression, issue.code, issue.severity) for issue in issues]


def observation(**members: Any) -> dict[str, Any]:
    return {"resourceType": "Observation", "status": "final", "code": {"text": "a"}} | members


BROKEN = [
    (
        {"resourceType": "Patient", "contact": [{"gender": "male"}]},
        [("Patient.contact[0]", "invariant", "error")],
    ),
    (
        {"resourceType": "Patient", "contact": [{"name": {"period": {"start": "2020-02", "end": "2019"}}}]},
        [("Patient.contact[0].name.period", "invariant", "error")],
    ),
    ({"resourceType": "Patient", "gender": "malee"}, [("Patient.gender", "code-invalid", "error")]),
    (
        {"resourceType": "Patient", "photo": [{"contentType": "jpeg", "data": "QUJD"}]},
        [("Patient.photo[0].contentType", "code-invalid", "error")],
    ),
    ({"resourceType": "Patient", "photo": [{"data": "QUJD"}]}, [("Patient.photo[0]", "invariant", "error")]),
    (
        {"resourceType": "Patient", "generalPractitioner": [{"reference": "Patient/1"}]},
        [("Patient.generalPractitioner[0]", "value", "error")],
    ),
    (
        {"resourceType": "Patient", "managingOrganization": {"reference": "organization/1"}},
        [("Patient.managingOrganization", "value", "error")],
    ),
    (
        {"resourceType": "Patient", "managingOrganization": {"reference": "Organisation/1/_history/2", "display": "x"}},
        [("Patient.managingOrganization", "value", "error")],
    ),
    (
        {"resourceType": "Patient", "managingOrganization": {"reference": "#a"}},
        [("Patient.managingOrganization", "invariant", "error")],
    ),
    (
        {
            "resourceType": "Patient",
            "contained": [{"resourceType": "Practitioner", "id": "a"}],
            "managingOrganization": {"reference": "#a"},
        },
        [("Patient.managingOrganization", "value", "error")],
    ),
    (
        {"resourceType": "Patient", "contained": [{"resourceType": "Organization", "id": "a", "name": "x"}]},
        [("Patient", "invariant", "error")],
    ),
    (
        {"resourceType": "Patient", "_birthDate": {"extension": [{"url": "http://a"}]}},
        [("Patient.birthDate.extension[0]", "invariant", "error")],
    ),
    (
        {"resourceType": "Patient", "name": [{"_given": [{"extension": [{"url": "http://a"}]}]}]},
        [("Patient.name[0].given[0].extension[0]", "invariant", "error")],
    ),
    (
        {"resourceType": "Patient", "text": {"status": "generated", "div": "<div><script/></div>"}},
        [("Patient.text.div", "invariant", "error"), ("Patient.text.div", "invariant", "warning")],
    ),
    (
        observation(valueQuantity={"value": 1.0, "code": "mg"}, dataAbsentReason={"text": "x"}),
        [("Observation", "invariant", "error"), ("Observation.value", "invariant", "error")],
    ),
    (
        observation(referenceRange=[{"low": {"value": 2.0}, "high": {"value": 1.0}}], valueRange={"low": {"value": 3}}),
        [],
    ),
    (
        observation(valueRange={"low": {"value": 2.0, "unit": "g"}, "high": {"value": 1.5, "unit": "g"}}),
        [("Observation.value", "invariant", "error")],
    ),
    (
        {
            "resourceType": "Condition",
            "subject": {"reference": "Patient/1"},
            "clinicalStatus": {"coding": [{"system": "http://x", "code": "active"}]},
        },
        [("Condition.clinicalStatus", "code-invalid", "error")],
    ),
    (
        {
            "resourceType": "Condition",
            "subject": {"reference": "Patient/1"},
            "clinicalStatus": {"text": "active"},
        },
        [("Condition.clinicalStatus", "code-invalid", "error")],
    ),
    (
        {"resourceType": "Questionnaire", "status": "draft", "item": [{"linkId": "a", "type": "group"}]},
        [("Questionnaire.item[0]", "invariant", "error")],
    ),
    (
        {"resourceType": "Library", "name": "a b", "status": "draft", "type": {"text": "x"}},
        [("Library", "invariant", "warning")],
    ),
    (
        {"resourceType": "Organization", "telecom": [{"system": "phone", "value": "1", "use": "home"}], "name": "x"},
        [("Organization.telecom[0]", "invariant", "error")],
    ),
    (
        {
            "resourceType": "Bundle",
            "type": "collection",
            "entry": [{"fullUrl": "urn:uuid:1", "resource": {"resourceType": "Patient", "gender": "x"}}],
        },
        [("Bundle.entry[0].resource.gender", "code-invalid", "error")],
    ),
    (
        {
            "resourceType": "Bundle",
            "type": "collection",
            "entry": [
                {"fullUrl": "urn:uuid:1", "resource": {"resourceType": "Organization", "name": "x"}},
                {"fullUrl": "urn:uuid:2", "resource": observation(subject={"reference": "urn:uuid:1"})},
            ],
        },
        [("Bundle.entry[1].resource.subject", "value", "error")],
    ),
]


@pytest.mark.parametrize(("resource", "wanted"), BROKEN, ids=range(len(BROKEN)))
def test_a_broken_rule_is_told_at_its_place(resource: Any, wanted: list[tuple[str, str, str]]) -> None:
    assert sorted(found(resource)) == sorted(wanted)


def test_an_issue_says_the_fix_and_what_was_found() -> None:
    [code] = problems({"resourceType": "Patient", "gender": "malee"}, warnings=False)
    assert code.text == "Use one of female, male, other, unknown. Did you mean male or female?"
    assert code.diagnostics == 'found "malee"'
    linked = {"resourceType": "Patient", "managingOrganization": {"reference": "Patient/1"}}
    [target] = problems(linked, warnings=False)
    assert target.text == "Refer to Organization: this element takes no Patient."
    [rule] = problems({"resourceType": "Patient", "contact": [{"gender": "male"}]}, warnings=False)
    assert rule.text == "SHALL at least contain a contact's details or a reference to an organization (pat-1)."
    assert rule.diagnostics == "found an object with gender"


def test_best_practice_is_a_warning_and_can_be_left_out() -> None:
    assert [issue.severity for issue in problems({"resourceType": "Patient"})] == ["warning"]
    assert problems({"resourceType": "Patient"}, warnings=False) == []


def test_a_place_begins_where_the_resource_stands() -> None:
    patient = {"resourceType": "Patient", "gender": "x"}
    assert found(patient, place="Bundle.entry[3].resource")[0][0] == "Bundle.entry[3].resource.gender"


def test_references_to_other_entries_are_known_by_their_addresses() -> None:
    patient = {"resourceType": "Patient", "managingOrganization": {"reference": "urn:uuid:1"}}
    assert found(patient, addresses={"urn:uuid:1": "Organization"}) == []
    assert found(patient, addresses={"urn:uuid:1": "Practitioner"}) == [
        ("Patient.managingOrganization", "value", "error")
    ]


def test_what_is_no_date_of_one_zone_is_compared_as_moments() -> None:
    for start, end, wrong in (
        ("2020-01-01T10:00:00+02:00", "2020-01-01T09:30:00Z", False),
        ("2020-01-01T10:00:00Z", "2020-01-01T10:30:00+02:00", True),
        ("2020", "2020-01-01", False),
        ("2021", "2020-01-01", True),
    ):
        patient = {"resourceType": "Patient", "name": [{"period": {"start": start, "end": end}}]}
        assert bool(found(patient)) is wrong, (start, end)


def test_official_files_break_no_rule_that_is_an_error_and_none_fails_to_be_evaluated() -> None:
    """Larger ones are put to the same rules when they are stored: tests/spec/test_official_files.py."""
    files = [path for path in official_files() if path.stat().st_size < 50_000]
    wrong = {path.name: told for path in files if (told := complaints(path))}
    assert wrong == {}


def complaints(path: Path) -> list[str]:
    """What is an error in an official file, or could not be checked."""
    told = problems(json.decode(path.read_bytes()))
    return [
        f"{issue.expression} {issue.text}"
        for issue in told
        if issue.severity == "error" or "could not be checked" in issue.text
    ]


def test_rules_that_official_files_break_are_warnings() -> None:
    severities = {rule.key: rule.severity for path in ("Bundle", "StructureDefinition") for rule in rules_of(path)}
    assert all(severities.get(key, "warning") == "warning" for key in BROKEN_IN_OFFICIAL_FILES)


def test_rules_are_what_the_package_gives() -> None:
    official_files()
    definitions = sorted(read(CACHE / "package"), key=lambda definition: str(definition["id"]))
    committed = Path(__file__).parents[5] / "ecluse" / "core" / "fhir" / "definitions" / "rules.json"
    assert rendered(definitions) == committed.read_text(encoding="utf-8")


@pytest.mark.parametrize(
    "odd",
    [
        {"resourceType": "Patient", "name": {"family": 5}, "contact": [None, 3, {"name": "x"}], "gender": ["x"]},
        {"resourceType": "Nobody", "name": 1},
        {"resourceType": ["x"]},
        {"resourceType": "Patient", "generalPractitioner": [{"reference": 5, "type": []}], "contained": {"id": "a"}},
        {"resourceType": "Condition", "clinicalStatus": {"coding": "x"}, "_recordedDate": 5},
        {"resourceType": "Bundle", "type": [1], "entry": [{"resource": []}, {"fullUrl": {}}]},
        {"resourceType": "Patient", "name": [{"period": {"start": 5, "end": "x"}}], "text": {"div": 5}},
    ],
)
def test_what_is_no_resource_is_walked_without_a_crash(odd: Any) -> None:
    assert isinstance(problems(odd), list)


def hostile() -> list[dict[str, Any]]:
    number = 10_000
    contained = [{"resourceType": "Organization", "id": f"o{k}", "name": "x"} for k in range(number)]
    links = [{"reference": f"#o{k}"} for k in range(number)]
    codings = [{"system": "a", "code": f"c{k}"} for k in range(number)]
    return [
        {"resourceType": "Patient", "contained": contained, "generalPractitioner": links},
        observation(
            code={"coding": codings}, valueString="x", component=[{"code": {"coding": [one]}} for one in codings]
        ),
        {"resourceType": "Questionnaire", "status": "draft", "item": [{"linkId": f"{k}"} for k in range(number)]},
        {"resourceType": "Patient", "name": [{"period": {"start": "x", "end": "y"}}] * number},
    ]


@pytest.mark.parametrize("number", range(4))
def test_the_work_for_a_hostile_resource_has_a_bound(number: int, monkeypatch: pytest.MonkeyPatch) -> None:
    """With a tenth of the bound, since counting calls makes them slow."""
    monkeypatch.setattr(scope, "MOST_WORK", MOST_WORK // 10)
    assert calls(problems, hostile()[number]) < 4 * MOST_WORK


def test_an_observation_costs_some_hundred_calls() -> None:
    """A microsecond a call at the most: far less than a millisecond."""
    resource = json.decode(official("Observation-blood-pressure"))
    problems(resource)
    assert 0 < calls(problems, resource) < 500


def test_a_resource_without_extensions_is_told_the_same_when_none_are_looked_for() -> None:
    for resource, wanted in BROKEN:
        if b"extension" not in json.encode(resource):
            assert sorted(found(resource, extensions=False)) == sorted(wanted)


def test_the_quick_way_of_references_tells_the_same() -> None:
    for link in (
        {"reference": "Patient/1"},
        {"reference": "Patient/1", "type": "Patient"},
        {"reference": "urn:uuid:1"},
    ):
        patient = {"resourceType": "Patient", "managingOrganization": link, "generalPractitioner": [link]}
        places = {place for place, _, _ in found(patient, addresses={"urn:uuid:1": "Patient"})}
        assert places == {"Patient.managingOrganization", "Patient.generalPractitioner[0]"}

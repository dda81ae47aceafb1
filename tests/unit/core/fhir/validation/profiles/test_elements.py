"""What a profile restricts of an element, each on its own; and which profiles apply."""

from __future__ import annotations

from typing import Any

import pytest

from ecluse.core.fhir import json
from tests.unit.core.fhir.validation.profiles.given import BASE, URL, coding, findings, observation, profile, shelf

WARDS = "http://hospital.example/fhir/ValueSet/wards"
SYSTEM = "http://hospital.example/wards"
VALUE_SET = {
    "resourceType": "ValueSet",
    "url": WARDS,
    "compose": {"include": [{"system": SYSTEM, "concept": [{"code": "a"}]}]},
}


def issues(resource: dict[str, Any], *definitions: dict[str, Any], asked: bool = True) -> list[Any]:
    urls = [definitions[0]["url"]] if asked and definitions else []
    return shelf(*definitions).issues(json.decode(json.encode(resource)), *urls)


def bound(strength: str, **more: Any) -> dict[str, Any]:
    return profile("Observation", {"id": "code", "binding": {"strength": strength, "valueSet": WARDS, **more}})


def test_all_that_is_wrong_is_told_at_once() -> None:
    strict = profile(
        "Observation",
        {"id": "subject", "min": 1},
        {"id": "note", "max": "0"},
        {"id": "category", "max": "1"},
        {"id": "status", "fixedCode": "amended"},
        {"id": "value[x]", "type": [{"code": "Quantity"}]},
    )
    wrong = observation(note=[{"text": "a"}], category=[{"text": "a"}, {"text": "b"}], valueString="1")
    assert set(findings(wrong, strict)) == {
        ("Observation.subject", "required"),
        ("Observation.note", "structure"),
        ("Observation.category[1]", "structure"),
        ("Observation.status", "value"),
        ("Observation.value", "structure"),
    }


def test_an_issue_says_the_fix_what_was_found_and_which_profile_asks() -> None:
    strict = {**profile("Observation", {"id": "status", "fixedCode": "amended"}), "version": "2"}
    (issue,) = issues(observation(), strict)
    assert issue.text == 'Write "amended": the profile fixes status to exactly that.'
    assert issue.diagnostics == 'found "final"'
    assert issue.profile == f"{URL}|2"


def test_what_is_missing_is_named_as_it_is_written() -> None:
    any_type = profile("Observation", {"id": "effective[x]", "min": 1})
    two = profile("Observation", {"id": "effective[x]", "min": 1, "type": [{"code": "dateTime"}, {"code": "Period"}]})
    one = profile("Observation", {"id": "effective[x]", "min": 1, "type": [{"code": "Period"}]})
    told = [issues(observation(), each)[0] for each in (any_type, two, one)]
    assert [each.text for each in told] == [
        "Add one of effectiveDateTime, effectivePeriod, effectiveTiming, effectiveInstant: the profile requires it.",
        "Add one of effectiveDateTime, effectivePeriod: the profile requires it.",
        "Add effectivePeriod: the profile requires it.",
    ]
    assert {each.expression for each in told} == {"Observation.effective"}


def test_a_required_binding_is_an_error_and_an_extensible_one_a_warning() -> None:
    other = observation(code={"coding": [coding("b", SYSTEM)]})
    assert [issue.severity for issue in issues(other, bound("required"), VALUE_SET)] == ["error"]
    assert [issue.severity for issue in issues(other, bound("extensible"), VALUE_SET)] == ["warning"]
    assert issues(other, bound("preferred"), VALUE_SET) == []


def test_one_code_of_the_value_set_is_enough() -> None:
    both = observation(code={"coding": [coding("x"), coding("a", SYSTEM)]})
    assert issues(both, bound("required"), VALUE_SET) == []


def test_text_alone_is_no_code_of_a_required_binding() -> None:
    assert [(i.expression, i.code) for i in issues(observation(), bound("required"), VALUE_SET)] == [
        ("Observation.code", "code-invalid")
    ]
    assert issues(observation(), bound("extensible"), VALUE_SET) == []


def test_no_code_leaves_the_greatest_value_set() -> None:
    extension = {
        "url": "http://hl7.org/fhir/StructureDefinition/elementdefinition-maxValueSet",
        "valueCanonical": WARDS,
    }
    other = observation(code={"coding": [coding("b", SYSTEM)]})
    told = issues(other, bound("preferred", extension=[extension]), VALUE_SET)
    assert [issue.severity for issue in told] == ["error"]


def test_codes_that_cannot_be_looked_up_are_reported_as_not_checked() -> None:
    (issue,) = issues(observation(code={"coding": [coding("b", SYSTEM)]}), bound("required"))
    assert (issue.severity, issue.code) == ("information", "not-supported")
    assert issue.diagnostics == f"not checked: codes of {WARDS}"


@pytest.mark.parametrize(
    ("element", "right", "wrong", "code"),
    [
        ({"id": "value[x]", "maxLength": 3}, {"valueString": "abc"}, {"valueString": "abcd"}, "too-long"),
        ({"id": "value[x]", "minValueInteger": 1}, {"valueInteger": 1}, {"valueInteger": 0}, "value"),
        ({"id": "value[x]", "maxValueInteger": 1}, {"valueInteger": 1}, {"valueInteger": 2}, "value"),
        (
            {"id": "effective[x]", "minValueDate": "2020-01-01"},
            {"effectiveDateTime": "2020"},
            {"effectiveDateTime": "2019-12"},
            "value",
        ),
    ],
)
def test_lengths_and_ranges_are_bounded(
    element: dict[str, Any], right: dict[str, Any], wrong: dict[str, Any], code: str
) -> None:
    bounded = profile("Observation", element)
    assert findings(observation(**right), bounded) == []
    assert findings(observation(**wrong), bounded) == [(f"Observation.{element['id'][:-3]}", code)]


def test_a_number_is_the_fixed_one_whatever_its_zeros() -> None:
    fixed = (
        b'{"resourceType":"StructureDefinition","url":"u:1","type":"Observation","differential":{"element":[{"path":'
    )
    fixed += b'"Observation.valueQuantity","id":"Observation.valueQuantity","patternQuantity":{"value":1.0}}]},'
    fixed += b'"baseDefinition":"http://hl7.org/fhir/StructureDefinition/Observation"}'
    one = json.decode(b'{"resourceType":"Observation","valueQuantity":{"value":1.00,"unit":"a"}}')
    two = json.decode(b'{"resourceType":"Observation","valueQuantity":{"value":2.00}}')
    there = shelf(json.decode(fixed))
    assert there.errors(one, "u:1") == []
    assert [issue.expression for issue in there.errors(two, "u:1")] == ["Observation.value"]


def test_what_repeats_in_itself_is_checked_at_every_depth() -> None:
    questions = profile("Questionnaire", {"id": "item.text", "min": 1})
    nested = {"linkId": "1", "text": "a", "item": [{"linkId": "2", "text": "b", "item": [{"linkId": "3"}]}]}
    resource = {"resourceType": "Questionnaire", "status": "draft", "item": [nested]}
    referring = profile(
        "Questionnaire", {"id": "item.text", "min": 1}, {"id": "item.item", "contentReference": "#Questionnaire.item"}
    )
    assert findings(resource, questions) == []
    assert findings(resource, referring) == [("Questionnaire.item[0].item[0].item[0].text", "required")]


def test_the_extension_of_a_primitive_is_checked_by_its_own_definition() -> None:
    url = "http://hospital.example/fhir/StructureDefinition/birth-time"
    extension = profile("Extension", {"id": "value[x]", "min": 1, "type": [{"code": "dateTime"}]}, url=url)
    patient = {"resourceType": "Patient", "_birthDate": {"extension": [{"url": url, "valueString": "noon"}]}}
    told = issues(patient, extension, asked=False)
    assert [(i.expression, i.profile) for i in told] == [("Patient.birthDate.extension[0].value", url)]


def test_the_value_of_an_extension_inside_a_choice_has_a_place_without_its_type() -> None:
    url = "http://hospital.example/fhir/StructureDefinition/method"
    extension = profile("Extension", {"id": "value[x]", "max": "0"}, url=url)
    measured = observation(valueQuantity={"value": 1, "extension": [{"url": url, "valueCode": "a"}]})
    assert [i.expression for i in issues(measured, extension, asked=False)] == ["Observation.value.extension[0].value"]


def test_a_profile_that_nobody_installed_is_a_warning() -> None:
    (issue,) = issues(observation(meta={"profile": ["http://hospital.example/none"]}))
    assert (issue.severity, issue.code, issue.expression) == ("warning", "not-found", "Observation.meta.profile[0]")
    assert "ecluse ig install" in issue.text and "http://hospital.example/none" in issue.diagnostics


def test_another_version_of_a_profile_is_taken_with_a_warning() -> None:
    strict = profile("Observation", {"id": "subject", "min": 1})
    told = issues(observation(meta={"profile": [f"{URL}|9.9"]}), strict, asked=False)
    assert [(i.severity, i.code, i.expression) for i in told] == [
        ("error", "required", "Observation.subject"),
        ("warning", "not-found", "Observation.meta.profile[0]"),
    ]


def test_a_profile_of_another_type_is_an_error() -> None:
    (issue,) = issues(observation(meta={"profile": [URL]}), profile("Patient"), asked=False)
    assert (issue.severity, issue.code, issue.expression) == ("error", "value", "Observation.meta.profile[0]")


def test_a_type_of_r4_itself_is_a_profile_that_always_holds() -> None:
    assert issues(observation(meta={"profile": [BASE + "Observation"]})) == []


def test_resources_inside_others_are_checked_by_the_profiles_they_name() -> None:
    strict = profile("Patient", {"id": "birthDate", "min": 1})
    patient = {"resourceType": "Patient", "id": "p", "meta": {"profile": [URL]}}
    bundle = {"resourceType": "Bundle", "type": "collection", "entry": [{"resource": observation(contained=[patient])}]}
    assert [(i.expression, i.code) for i in issues(bundle, strict, asked=False)] == [
        ("Bundle.entry[0].resource.contained[0].birthDate", "required")
    ]


def test_one_of_several_profiles_of_a_type_has_to_hold() -> None:
    coded_, texted = URL + "-coded", URL + "-texted"
    either = profile("Observation", {"id": "code", "type": [{"code": "CodeableConcept", "profile": [coded_, texted]}]})
    parts = (
        profile("CodeableConcept", {"id": "coding", "min": 1}, url=coded_),
        profile("CodeableConcept", {"id": "text", "min": 1}, url=texted),
    )
    assert findings(observation(code={"text": "a"}), either, *parts) == []
    assert findings(observation(code={"id": "a", "extension": []}), either, *parts) == [
        ("Observation.code", "structure")
    ]


@pytest.mark.parametrize(
    "elements",
    [
        [],
        [{"id": "Observation.code", "max": "x"}],
        [{"path": "Observation.code", "min": "one"}],
        [{"path": "Observation.code", "type": "Coding"}],
        "x",
    ],
)
def test_a_definition_that_cannot_be_read_is_told_and_hinders_nothing(elements: Any) -> None:
    broken = {**profile("Observation"), "differential": {"element": elements}}
    (issue,) = issues(observation(), broken)
    assert (issue.severity, issue.code) == ("information", "not-supported")
    assert issue.diagnostics == f"not checked: the profile {URL}, whose definition cannot be read"


def test_bases_that_lead_back_to_themselves_end() -> None:
    one = profile("Observation", {"id": "subject", "min": 1}, base=URL + "-other")
    other = profile("Observation", {"id": "value[x]", "min": 1}, url=URL + "-other", base=URL)
    assert set(findings(observation(), one, other)) >= {("Observation.subject", "required")}


NAMED = profile("Patient", {"id": "name", "min": 1}, url="http://hospital.example/named")


def test_a_resource_of_whatever_type_has_to_be_of_its_profile() -> None:
    given = {"id": "parameter.resource", "type": [{"code": "Resource", "profile": [NAMED["url"]]}]}
    asking = profile("Parameters", given)

    def told(resource: dict[str, Any]) -> list[tuple[str, str]]:
        parameters = {"resourceType": "Parameters", "parameter": [{"name": "a", "resource": resource}]}
        return findings(parameters, asking, NAMED)

    assert told({"resourceType": "Patient", "name": [{"text": "x"}]}) == []
    assert told({"resourceType": "Patient"}) == [("Parameters.parameter[0].resource.name", "required")]
    assert told(observation()) == [("Parameters.parameter[0].resource", "structure")]


def test_a_target_that_is_at_hand_has_to_be_of_its_profile() -> None:
    asking = profile("Observation", {"id": "subject", "type": [{"code": "Reference", "targetProfile": [NAMED["url"]]}]})

    def told(patient: dict[str, Any], link: str = "#p") -> list[tuple[str, str]]:
        contained = {"resourceType": "Patient", "id": "p", **patient}
        return findings(observation(contained=[contained], subject={"reference": link}), asking, NAMED)

    assert told({"name": [{"text": "x"}]}) == []
    assert told({}) == [("Observation.subject", "structure")]
    assert told({}, "Patient/elsewhere") == []


def test_an_invariant_of_a_contained_resource_knows_which_resource_is_which() -> None:
    def ruled(place: str, expression: str) -> dict[str, Any]:
        rule = {"key": "r-1", "severity": "error", "human": "so it is", "expression": expression}
        return profile("Patient", {"id": place, "constraint": [rule]})

    practitioner = {"resourceType": "Practitioner", "id": "p", "name": [{"text": "x"}]}
    patient = {"resourceType": "Patient", "contained": [practitioner], "generalPractitioner": [{"reference": "#p"}]}
    types = "%resource.type().name = '{}' and %rootResource.type().name = 'Patient'"
    assert findings(patient, ruled("contained", types.format("Patient"))) == []
    assert findings(patient, ruled("contained.name", types.format("Practitioner"))) == []
    assert findings(patient, ruled("contained.name", types.format("Patient"))) == [
        ("Patient.contained[0].name[0]", "invariant")
    ]


def test_ranges_are_compared_in_units_of_one_kind() -> None:
    kilograms = {"system": "http://unitsofmeasure.org", "code": "kg"}
    heavy = profile("Observation", {"id": "value[x]", "maxValueQuantity": {"value": 10, **kilograms}})
    for value, code, wrong in ((9000, "g", False), (11000, "g", True), (11, "kg", True), (11000, "m", False)):
        found = findings(observation(valueQuantity={"value": value, **kilograms, "code": code}), heavy)
        assert bool(found) is wrong, (value, code)

"""Slices: which items they take, how many, in which order, and what is said where they cannot be told apart."""

from __future__ import annotations

from typing import Any

import pytest

from ecluse.core.fhir import json
from tests.unit.core.fhir.validation.profiles.given import URL, coding, findings, observation, profile, shelf

BY_CODE = {"discriminator": [{"type": "value", "path": "code"}]}
CODING = "code.coding"


def coded(*codes: str) -> dict[str, Any]:
    return observation(code={"coding": [coding(code) for code in codes]})


def sliced(**slicing: Any) -> dict[str, Any]:
    return profile(
        "Observation",
        {"id": CODING, "slicing": {**BY_CODE, "rules": "open", **slicing}},
        {"id": f"{CODING}:a", "sliceName": "a", "min": 1, "max": "1"},
        {"id": f"{CODING}:a.code", "fixedCode": "a"},
        {"id": f"{CODING}:b", "sliceName": "b", "max": "1"},
        {"id": f"{CODING}:b.code", "fixedCode": "b"},
        {"id": f"{CODING}:b.display", "min": 1},
    )


def test_a_slice_that_is_required_has_to_be_there() -> None:
    assert findings(coded("c"), sliced()) == [("Observation.code.coding", "required")]
    assert findings(coded("c", "a"), sliced()) == []


def test_a_slice_stands_at_most_as_often_as_it_may() -> None:
    assert findings(coded("a", "c", "a"), sliced()) == [("Observation.code.coding[2]", "structure")]


def test_what_a_slice_asks_for_is_asked_of_its_items_alone() -> None:
    assert findings(coded("a", "c", "b"), sliced()) == [("Observation.code.coding[2].display", "required")]


def test_closed_slicing_takes_nothing_else() -> None:
    assert findings(coded("a", "c"), sliced(rules="closed")) == [("Observation.code.coding[1]", "structure")]


def test_slicing_that_is_open_at_its_end_takes_others_at_the_end() -> None:
    assert findings(coded("a", "c"), sliced(rules="openAtEnd")) == []
    assert findings(coded("c", "a"), sliced(rules="openAtEnd")) == [("Observation.code.coding[0]", "structure")]


def test_ordered_slices_stand_in_their_order() -> None:
    right = observation(code={"coding": [coding("a"), {**coding("b"), "display": "B"}]})
    wrong = observation(code={"coding": [{**coding("b"), "display": "B"}, coding("a")]})
    assert findings(right, sliced(ordered=True)) == []
    assert findings(wrong, sliced(ordered=True)) == [("Observation.code.coding[1]", "structure")]


def test_the_default_slice_takes_what_no_other_takes() -> None:
    default = profile(
        "Observation",
        {"id": CODING, "slicing": {**BY_CODE, "rules": "closed"}},
        {"id": f"{CODING}:a", "sliceName": "a"},
        {"id": f"{CODING}:a.code", "fixedCode": "a"},
        {"id": f"{CODING}:@default", "sliceName": "@default", "max": "1"},
        {"id": f"{CODING}:@default.display", "min": 1},
    )
    assert findings(coded("a", "c"), default) == [("Observation.code.coding[1].display", "required")]


def test_a_slice_is_sliced_again() -> None:
    again = profile(
        "Observation",
        {"id": CODING, "slicing": {"discriminator": [{"type": "value", "path": "system"}], "rules": "open"}},
        {"id": f"{CODING}:loinc", "sliceName": "loinc", "slicing": BY_CODE},
        {"id": f"{CODING}:loinc.system", "fixedUri": "http://loinc.org"},
        {"id": f"{CODING}:loinc/a", "sliceName": "loinc/a", "min": 1},
        {"id": f"{CODING}:loinc/a.code", "fixedCode": "a"},
    )
    assert findings(coded("a"), again) == []
    assert findings(coded("b"), again) == [("Observation.code.coding", "required")]


def test_a_choice_is_sliced_by_its_types() -> None:
    typed = profile(
        "Observation",
        {"id": "value[x]", "slicing": {"discriminator": [{"type": "type", "path": "$this"}], "rules": "open"}},
        {"id": "value[x]:valueQuantity", "sliceName": "valueQuantity", "type": [{"code": "Quantity"}]},
        {"id": "value[x]:valueQuantity.unit", "min": 1},
    )
    assert findings(observation(valueQuantity={"value": 1}), typed) == [("Observation.value.unit", "required")]
    assert findings(observation(valueString="1"), typed) == []


def test_a_choice_written_with_its_type_is_the_slice_of_that_type() -> None:
    short = profile("Observation", {"id": "valueQuantity.unit", "min": 1})
    assert findings(observation(valueQuantity={"value": 1}), short) == [("Observation.value.unit", "required")]
    assert findings(observation(valueString="1"), short) == []


def test_slices_are_told_apart_by_what_they_have() -> None:
    having = profile(
        "Observation",
        {"id": "component", "slicing": {"discriminator": [{"type": "exists", "path": "value"}], "rules": "open"}},
        {"id": "component:full", "sliceName": "full", "min": 1},
        {"id": "component:full.value[x]", "min": 1},
        {"id": "component:empty", "sliceName": "empty"},
        {"id": "component:empty.value[x]", "max": "0"},
        {"id": "component:empty.dataAbsentReason", "min": 1},
    )
    full, empty = {"code": {"text": "a"}, "valueInteger": 1}, {"code": {"text": "b"}}
    assert findings(observation(component=[full, empty]), having) == [
        ("Observation.component[1].dataAbsentReason", "required")
    ]


def test_slices_are_told_apart_by_the_type_of_their_target() -> None:
    device = "http://hl7.org/fhir/StructureDefinition/Device"
    by_target = profile(
        "Observation",
        {"id": "performer", "slicing": {"discriminator": [{"type": "type", "path": "resolve()"}], "rules": "open"}},
        {"id": "performer:device", "sliceName": "device", "max": "0"},
        {"id": "performer:device", "type": [{"code": "Reference", "targetProfile": [device]}]},
    )
    by_device = observation(performer=[{"reference": "Patient/1"}, {"reference": "Device/1"}])
    contained = observation(performer=[{"reference": "#d"}], contained=[{"resourceType": "Device", "id": "d"}])
    assert findings(by_device, by_target) == [("Observation.performer[1]", "structure")]
    assert findings(contained, by_target) == [("Observation.performer[0]", "structure")]


def test_a_value_behind_a_reference_is_looked_at_where_it_is_at_hand() -> None:
    kind = profile("Device", {"id": "status", "fixedCode": "active"}, url=URL + "-device")
    behind = profile(
        "Observation",
        {"id": "performer", "slicing": {"discriminator": [{"type": "profile", "path": "resolve()"}], "rules": "open"}},
        {"id": "performer:device", "sliceName": "device", "min": 1},
        {"id": "performer:device", "type": [{"code": "Reference", "targetProfile": [URL + "-device"]}]},
    )
    device = {"resourceType": "Device", "id": "d", "status": "inactive"}
    at_hand = observation(performer=[{"reference": "#d"}], contained=[device])
    elsewhere = observation(performer=[{"reference": "Device/1"}])
    assert findings(at_hand, behind, kind) == [("Observation.performer", "required")]
    assert findings(elsewhere, behind, kind) == []


@pytest.mark.parametrize("path", ["code.first()", "unknown"])
def test_slices_that_cannot_be_told_apart_are_reported_as_not_checked(path: str) -> None:
    strange = profile(
        "Observation",
        {"id": CODING, "slicing": {"discriminator": [{"type": "value", "path": path}], "rules": "open"}},
        {"id": f"{CODING}:a", "sliceName": "a", "min": 1},
    )
    (issue,) = shelf(strange).issues(json.decode(json.encode(coded("a"))), URL)
    assert (issue.severity, issue.code) == ("information", "not-supported")
    assert f"the slices of Observation.code.coding by value {path}" in issue.diagnostics


def test_a_differential_without_ids_is_read_by_its_order() -> None:
    by_order = profile(
        "Observation",
        {"id": CODING, "slicing": {**BY_CODE, "rules": "open"}},
        {"id": CODING, "sliceName": "a", "min": 1},
        {"id": f"{CODING}.code", "fixedCode": "a"},
        {"id": CODING, "sliceName": "b"},
        {"id": f"{CODING}.code", "fixedCode": "b"},
        {"id": f"{CODING}.display", "min": 1},
        {"id": "status", "fixedCode": "final"},
    )
    for element in by_order["differential"]["element"]:
        del element["id"]
    assert findings(coded("c"), by_order) == [("Observation.code.coding", "required")]
    assert findings(coded("a", "b"), by_order) == [("Observation.code.coding[1].display", "required")]
    assert findings({**coded("a"), "status": "amended"}, by_order) == [("Observation.status", "value")]


def test_a_slice_that_says_nothing_where_a_discriminator_looks_takes_anything_there() -> None:
    both = profile(
        "Observation",
        {
            "id": CODING,
            "slicing": {
                "discriminator": [{"type": "value", "path": "code"}, {"type": "value", "path": "system"}],
                "rules": "closed",
            },
        },
        {"id": f"{CODING}:a", "sliceName": "a", "min": 1},
        {"id": f"{CODING}:a.code", "fixedCode": "a"},
        {"id": f"{CODING}:a.system", "fixedUri": "http://loinc.org"},
        {"id": f"{CODING}:b", "sliceName": "b"},
        {"id": f"{CODING}:b.code", "fixedCode": "b"},
    )
    mixed = observation(code={"coding": [coding("a"), coding("b", "http://other.example"), coding("b")]})
    assert findings(mixed, both) == []
    wrong = observation(code={"coding": [coding("a", "http://other.example")]})
    assert findings(wrong, both) == [
        ("Observation.code.coding[0]", "structure"),
        ("Observation.code.coding", "required"),
    ]


def test_a_slice_by_profile_takes_resources_of_its_type_alone() -> None:
    named = profile("Patient", {"id": "name", "min": 1}, url="http://hospital.example/named")
    bundle = profile(
        "Bundle",
        {"id": "entry", "slicing": {"discriminator": [{"type": "profile", "path": "resource"}], "rules": "open"}},
        {"id": "entry:patient", "sliceName": "patient", "min": 1, "max": "1"},
        {"id": "entry:patient.resource", "type": [{"code": "Patient", "profile": [named["url"]]}]},
    )
    patient = {"resourceType": "Patient", "name": [{"text": "x"}]}
    entries = [{"resource": patient}, {"resource": {"resourceType": "Practitioner", "name": [{"text": "x"}]}}]
    collection = {"resourceType": "Bundle", "type": "collection"}
    assert findings({**collection, "entry": entries}, bundle, named) == []
    assert findings({**collection, "entry": entries[1:]}, bundle, named) == [("Bundle.entry", "required")]

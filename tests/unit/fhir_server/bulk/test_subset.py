"""Resources with some of their elements."""

from __future__ import annotations

from ecluse.core.fhir import json
from ecluse.core.fhir.subset import SUBSETTED
from fhir_server.bulk.holding import holds
from fhir_server.bulk.subset import subset

OBSERVATION = (
    b'{"resourceType":"Observation","id":"1","meta":{"versionId":"2","tag":[{"code":"x"}]},"status":"final",'
    b'"_status":{"id":"s"},"code":{"text":"c"},"valueQuantity":{"value":1.00},"note":[{"text":"\xc3\xa9"}]}\n'
)


def test_wanted_and_required_elements_stay_as_they_were() -> None:
    made = subset("Observation", ["value", "Patient.name"])(OBSERVATION * 2)
    assert made.count(b"\n") == 2
    assert b'"valueQuantity":{"value":1.00}' in made
    found = json.decode(made.splitlines()[0])
    assert set(found) == {"resourceType", "id", "meta", "status", "_status", "code", "valueQuantity"}
    assert found["meta"]["tag"] == [{"code": "x"}, SUBSETTED]


def test_a_resource_that_is_marked_already_is_marked_once() -> None:
    once = subset("Observation", ["Observation.note"])(OBSERVATION)
    assert subset("Observation", ["Observation.note"])(once) == once


def test_attachments_are_found_at_any_depth() -> None:
    assert {holds(name, "Attachment") for name in ("DocumentReference", "Patient", "Communication", "Consent")} == {
        True
    }
    assert {holds(name, "Attachment") for name in ("Observation", "Encounter", "Condition")} == {False}

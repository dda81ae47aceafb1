"""What is refused, and where the finding points to."""

from __future__ import annotations

import json
from typing import Any

import pytest

from ecluse.core.errors import BadRequest, Issue
from ecluse.core.fhir.acceptance import accept, accept_encoded
from ecluse.core.fhir.scan import MOST_DEPTH, MOST_ISSUES
from tests.cost import MOST_CPU_S, calls, cpu_s
from tests.official import official
from tests.unit.core.fhir.mutations import GONE, MUTATIONS


def mutated(name: str, path: str, value: Any) -> bytes:
    resource = json.loads(official(name))
    *parents, last = [int(step) if step.isdigit() else step for step in path.split("/")]
    target = resource
    for step in parents:
        target = target[step]
    if isinstance(target, dict):
        last = str(last)
    if value is GONE:
        del target[last]
    else:
        target[last] = value
    return json.dumps(resource).encode()


def findings(data: bytes, resource_type: str | None = None, expression: str | None = None) -> list[Issue]:
    with pytest.raises(BadRequest) as refused:
        accept(resource_type, data, expression)
    return list(refused.value.issues)


def places(data: bytes, resource_type: str | None = None, expression: str | None = None) -> list[str]:
    return [issue.expression for issue in findings(data, resource_type, expression)]


@pytest.mark.parametrize(
    ("name", "path", "value", "place", "code"),
    MUTATIONS,
    ids=[f"{row[0]}-{row[1]}-{i}" for i, row in enumerate(MUTATIONS)],
)
def test_one_wrong_thing_is_found_at_its_place(name: str, path: str, value: Any, place: str, code: str) -> None:
    found = findings(mutated(name, path, value))
    assert [(issue.expression, issue.code) for issue in found] == [(place, code)]
    assert found[0].text.endswith((".", "?"))


def test_there_are_enough_mutations() -> None:
    assert len(MUTATIONS) >= 60


def test_all_problems_are_told_at_once() -> None:
    data = b'{"resourceType":"Patient","nmae":[{"family":"a"}],"birthDate":"x","gender":null,"contact":[{"name":[]}]}'
    assert places(data) == ["Patient.nmae", "Patient.birthDate", "Patient.gender", "Patient.contact[0].name"]


def test_an_unknown_element_is_told_the_nearest_names() -> None:
    [issue] = findings(b'{"resourceType":"Patient","brithDate":"1974-12-25"}')
    assert issue.text == "Patient has no element brithDate: did you mean birthDate?"


def test_a_bare_choice_is_told_its_names() -> None:
    [issue] = findings(b'{"resourceType":"Patient","deceased":true}')
    assert issue.text == "deceased is a choice: write one of deceasedBoolean, deceasedDateTime."


def test_the_place_begins_with_what_the_caller_says() -> None:
    assert places(b'{"resourceType":"Patient","x":1}', None, "Bundle.entry[3].resource") == [
        "Bundle.entry[3].resource.x"
    ]


def test_another_type_than_the_address_asks_for_is_refused() -> None:
    [issue] = findings(b'{"resourceType":"Patient"}', "Observation")
    assert issue.expression == "Patient.resourceType"


def test_a_hostile_number_of_problems_is_cut_short() -> None:
    found = findings(json.dumps({"resourceType": "Patient", **{f"x{n}": n for n in range(1000)}}).encode())
    assert len(found) == MOST_ISSUES + 1


PATIENT = b'{"resourceType":"Patient",%s}'
MALFORMED = [
    (b"", ""),
    (b"null", ""),
    (b"[]", ""),
    (b'"Patient"', ""),
    (b"{", ""),
    (b"[\x1f", "[0]"),
    (b'{"resourceType":"Patient"', "Patient.resourceType"),
    (b'{"resourceType":"Patient"} x', "Patient"),
    (PATIENT % b'"active":tru', "Patient.active"),
    (PATIENT % b'"active":True', "Patient.active"),
    (PATIENT % b'"name":[{"family":"a",}]', "Patient.name[0].family"),
    (PATIENT % b'"name":[{"given":["a",]}]', "Patient.name[0].given[1]"),
    (PATIENT % b'"name":[{"given":["a" "b"]}]', "Patient.name[0].given[0]"),
    (PATIENT % b'"name":[{"family":"a\x01"}]', "Patient.name[0].family"),
    (PATIENT % b'"name":[{"family":"a\\x"}]', "Patient.name[0].family"),
    (PATIENT % b'"name":[{"family":\'a\'}]', "Patient.name[0].family"),
    (PATIENT % b'"name":[{"family":"a\xff"}]', "Patient.name[0].family"),
    (PATIENT % b'"name":[{"family":"a\xed\xa0\x80"}]', "Patient.name[0].family"),
    (PATIENT % b'"name":[{"given":["b","a\\ud800"]}]', "Patient.name[0].given[1]"),
    (PATIENT % b'"name":[{"given":["b","\\udc00\\ud800"]}]', "Patient.name[0].given[1]"),
    (PATIENT % b'"\\ud800":1', "Patient.resourceType"),
    (PATIENT % b'"multipleBirthInteger":01', "Patient.multipleBirthInteger"),
    (PATIENT % b'"multipleBirthInteger":1.', "Patient.multipleBirthInteger"),
    (PATIENT % b'"multipleBirthInteger":NaN', "Patient.multipleBirthInteger"),
    (PATIENT % (b'"multipleBirthInteger":' + b"1" * 5000), "Patient.multipleBirthInteger"),
    (PATIENT % b'"multipleBirthInteger":1e99999', "Patient.multipleBirthInteger"),
    (b'\xef\xbb\xbf{"resourceType":"Patient"}', ""),
    (b"\xff\xfe{\x00}\x00", ""),
    (PATIENT % b'"name":[{"family":"a"}],"active":true,"name":[]', "Patient.name"),
    (PATIENT % b'"resourceType":"Patient"', "Patient.resourceType"),
    (PATIENT % b'"name":[{"family":"a","family":"a"}]', "Patient.name[0].family"),
    (PATIENT % b'"name":[{"family":"a","fam\\u0069ly":"b"}]', "Patient.name[0].family"),
    (PATIENT % b'"name":[{"family":"\\"\\\\","family":"\\u0022"}]', "Patient.name[0].family"),
    (PATIENT % b'"contained":[{"resourceType":"Basic","id":"a","id":"b"}]', "Patient.contained[0].id"),
    (PATIENT % b'"contained":[{"resourceType":"Basic","id":"\\ud83d"}]', "Patient.contained[0].id"),
    (PATIENT % b'"contained":[{"resourceType":"Basic","id":"\xff"}]', "Patient.contained[0].id"),
    (
        b'{"resourceType":"Bundle","type":"batch","entry":[{"resource":{"resourceType":"Basic","id":"a","id":"b"}}]}',
        "Bundle.entry[0].resource.id",
    ),
]


@pytest.mark.parametrize(("data", "place"), MALFORMED)
def test_text_that_is_no_json_or_holds_a_name_twice_is_refused_at_its_place(data: bytes, place: str) -> None:
    assert places(data) == [place]


@pytest.mark.parametrize(
    "opening",
    [b'{"resourceType":"Patient","x":', b'{"resourceType":"Patient","contained":[{"resourceType":"Basic","x":'],
)
@pytest.mark.parametrize("depth", [MOST_DEPTH + 1, 900, 10_000, 1_000_000])
def test_deep_nesting_is_refused_before_it_is_walked(opening: bytes, depth: int) -> None:
    data = opening + b"[" * depth + b"]" * depth + b"}" * opening.count(b"{")
    [issue] = findings(data)
    assert calls(findings, data) < 5000
    assert issue.expression.startswith(("Patient.x[0]", "Patient.contained[0].x"))
    assert f"{MOST_DEPTH} times" in issue.text


def nested_extensions(depth: int) -> bytes:
    opening = b'{"url":"http://a","extension":[' * depth
    return PATIENT % (b'"extension":[%s{"url":"http://a","valueString":"x"}%s]' % (opening, b"]}" * depth))


def test_deep_nesting_of_known_elements_is_refused_too() -> None:
    assert accept("Patient", nested_extensions(45))
    for depth in (50, 300, 480):
        [issue] = findings(nested_extensions(depth))
        assert issue.expression.startswith("Patient.extension[0].extension[0]")


def nested_assigners(depth: int) -> bytes:
    opening, closing = b'{"value":"a","assigner":{"identifier":', b"}}"
    return PATIENT % (b'"identifier":[%s{"value":"b"}%s]' % (opening * depth, closing * depth))


def test_deep_objects_are_walked_in_a_deep_stack() -> None:
    def deeper(frames: int) -> None:
        if frames:
            return deeper(frames - 1)
        assert accept("Patient", nested_assigners(48))
        assert places(nested_assigners(48).replace(b'"b"', b"1"))[0].endswith(".value")
        assert places(nested_assigners(60))[0].startswith("Patient.identifier[0].assigner.identifier.")

    deeper(250)


HOSTILE = [
    (PATIENT % (b'"a":1,' * 100_000 + b'"a":1'), MOST_ISSUES),
    (PATIENT % (b'"x":"%s","x":1' % (rb"\\" * 1_000_000)), 1),
    (PATIENT % (b'"x":"%s","x":1' % (rb"\n" * 1_000_000)), 1),
    (PATIENT % (b'"%s":1' % (b"a" * 4_000_000)), 1),
    (PATIENT % (b'"name":[%s]' % (b"1," * 300_000 + b"1")), MOST_ISSUES + 1),
    (PATIENT % (b'"name":[%s' % (b"1," * 2_000_000)), 1),
    (PATIENT % (b'"name":[{"family":"%s' % (b"a" * 4_000_000)), 1),
    (PATIENT % (b'"identifier":[{"id":"%s"}]' % (b"a" * 1_000_000)), 1),
    (PATIENT % (b'"photo":[{"data":"%s*"}]' % (b" QUJD" * 1_000_000)), 1),
]


@pytest.mark.parametrize(("data", "number"), HOSTILE, ids=range(len(HOSTILE)))
def test_hostile_megabytes_take_no_more_time_than_their_length(data: bytes, number: int) -> None:
    assert cpu_s(findings, data) < MOST_CPU_S
    assert len(findings(data)) == number


def test_numbers_stay_as_they_were_sent() -> None:
    for number in (
        b"1.00",
        b"1E-22",
        b"1.000000000000000000E-245",
        b"-0",
        b"-0.0",
        b"12345678901234567890123",
        b"1e5",
        b"0",
    ):
        data = (
            b'{"resourceType":"Observation","status":"final","code":{"text":"a"},"valueQuantity":{"value":%s}}' % number
        )
        assert accept_encoded("Observation", data)[1] == data


def test_what_is_rare_is_accepted() -> None:
    for members in (
        b'"name":[{"given":["a",null],"_given":[null,{"extension":[{"url":"http://a","valueString":"b"}]}]}]',
        b'"name":[{"_given":[{"extension":[{"url":"http://a","valueString":"b"}]}]}]',
        b'"_gender":{"extension":[{"url":"http://a","valueCode":"b"}]}',
        b'"gender":"male","_gender":{"id":"b"}',
        b'"_deceasedBoolean":{"extension":[{"url":"http://a","valueCode":"b"}]}',
        b'"name":[{"family":"tab \\t line \\n return \\r slash \\/ quote \\" \\u0041 \\\\u0000 \\ud83d\\ude00 \x7f"}]',
        b'"birthDate":"2000-02-29"',
        b'"multipleBirthInteger":-0',
        b'"photo":[{"data":"QU JD\\nQUJD"}]',
        b'"contained":[{"resourceType":"Parameters","parameter":[{"name":"a","resource":{"resourceType":"Basic","code":{"text":"a"}}}]}]',
    ):
        assert accept("Patient", PATIENT % members)
    missing = b'{"resourceType":"Observation","_status":{"extension":[{"url":"http://a","valueCode":"b"}]},"code":{"text":"a"}}'
    assert accept("Observation", missing)


@pytest.mark.parametrize("content", [b"QUJD", b"QUJD QUJD\\n"])
def test_base64_of_20_megabytes_is_checked_as_one(content: bytes) -> None:
    data = b'{"resourceType":"Binary","contentType":"application/pdf","data":"%s"}'
    short, long = (calls(accept, "Binary", data % (content * number)) for number in (2_000, 2_000_000))
    assert long < 2 * short
    assert places(data % (content * 2_000_000 + b"*")) == ["Binary.data"]


def test_what_is_missing_or_stands_in_the_place_of_an_object_is_told_with_what_to_write() -> None:
    data = (
        b'{"resourceType":"Patient","gender":["male"],"maritalStatus":"M","link":[{"other":{"reference":"Patient/1"}}]}'
    )
    assert [(issue.text, issue.diagnostics) for issue in findings(data)] == [
        ("gender does not repeat: write one value, without [ ].", "found an array of 1"),
        ("CodeableConcept is a JSON object with id, extension, coding, text, not text.", 'found "M"'),
        ("Add type: it is required.", "found an object with other"),
    ]

"""Bundles split into entries, quickly and slowly, with the same result."""

from __future__ import annotations

import json
from typing import Any

import pytest

from ecluse.core.errors import BadRequest
from ecluse.core.fhir.acceptance import accept
from ecluse.core.fhir.bundle import BundleEntry, split_bundle
from tests.cost import calls
from tests.official import official, official_files

REQUEST = {
    "method": "PUT",
    "url": "Patient?identifier=a|1",
    "ifNoneMatch": 'W/"1"',
    "ifModifiedSince": "2018-05-12T10:20:30Z",
    "ifMatch": "2",
    "ifNoneExist": "identifier=a|1",
}
PATIENT = {"resourceType": "Patient", "active": True}


def bundle(*entries: Any, **members: Any) -> bytes:
    return json.dumps({"resourceType": "Bundle", "type": "transaction", **members, "entry": entries}).encode()


def places(data: bytes) -> list[str]:
    with pytest.raises(BadRequest) as refused:
        split_bundle(data)
    return [issue.expression for issue in refused.value.issues]


def plain(entry: BundleEntry) -> tuple[Any, ...]:
    return (entry.resource and json.loads(bytes(entry.resource)), *entry[1:])


def test_an_entry_says_what_to_do_with_its_resource() -> None:
    frame = split_bundle(bundle({"fullUrl": "urn:uuid:a", "resource": PATIENT, "request": REQUEST}, {"fullUrl": "b"}))
    assert frame.type == "transaction"
    first, second = frame.entries
    assert plain(first)[:2] == (PATIENT, "urn:uuid:a")
    assert (first.method, first.url, first.if_none_exist) == ("PUT", "Patient?identifier=a|1", "identifier=a|1")
    assert (first.if_match, first.if_none_match, first.if_modified_since) == ("2", 'W/"1"', "2018-05-12T10:20:30Z")
    assert second == BundleEntry(None, "b")


def test_a_bundle_without_entries_has_none() -> None:
    assert split_bundle(b'{"resourceType":"Bundle","type":"batch"}').entries == []


def test_official_bundles_are_split_into_their_entries() -> None:
    bundles = [path for path in official_files() if path.name.startswith("Bundle-")]
    assert len(bundles) == 44
    for path in bundles:
        expected = json.loads(path.read_bytes())
        frame = split_bundle(path.read_bytes())
        assert frame.type == expected["type"]
        entries = [(entry.get("resource"), entry.get("fullUrl", "")) for entry in expected.get("entry", [])]
        assert [plain(entry)[:2] for entry in frame.entries] == entries, path.name


RARE = [
    {"fullUrl": "a", "resource": PATIENT, "extension": [{"url": "http://a", "valueString": "b"}]},
    {"_fullUrl": {"extension": [{"url": "http://a", "valueString": "b"}]}, "resource": PATIENT},
    {"fullUrl": "a\\b\u00e9", "resource": PATIENT},
    {
        "resource": PATIENT,
        "response": {
            "status": "200",
            "outcome": {"resourceType": "OperationOutcome", "issue": [{"severity": "error", "code": "value"}]},
        },
    },
    {"resource": PATIENT, "search": {"mode": "match", "score": 0.5}, "link": [{"relation": "self", "url": "http://a"}]},
]


@pytest.mark.parametrize("entry", RARE)
def test_rare_entries_are_split_too(entry: Any) -> None:
    frame = split_bundle(bundle(entry, {"resource": PATIENT}))
    assert [plain(found)[0] for found in frame.entries] == [PATIENT, PATIENT]


ENTRY = b'{"resourceType":"Bundle","type":"batch","entry":[{"resource":{"resourceType":"Patient"}},%s]}'
WRONG = [
    (b"{}", "Bundle.entry[1]"),
    (b"null", "Bundle.entry[1]"),
    (b"5", "Bundle.entry[1]"),
    (b'{"fullUrl":"a","fulUrl":"b"}', "Bundle.entry[1].fulUrl"),
    (b'{"fullUrl":"a b"}', "Bundle.entry[1].fullUrl"),
    (b'{"fullUrl":"a\\u0000"}', "Bundle.entry[1].fullUrl"),
    (b'{"fullUrl":"a","fullUrl":"b"}', "Bundle.entry[1].fullUrl"),
    (b'{"fullUrl":"\\u0022\\u0022","fullUrl":"b"}', "Bundle.entry[1].fullUrl"),
    (b'{"resource":{"resourceType":"Patient"},"resource":{"resourceType":"Patient"}}', "Bundle.entry[1].resource"),
    (b'{"fullUrl":"a","request":{"method":"GET"}}', "Bundle.entry[1].request.url"),
    (b'{"fullUrl":"a","request":{"method":"GET","url":"a","method":"GET"}}', "Bundle.entry[1].request.method"),
    (b'{"fullUrl":"a","link":[]}', "Bundle.entry[1].link"),
    (
        b'{"response":{"status":"200","outcome":{"resourceType":"Basic","id":"a","id":"b"}}}',
        "Bundle.entry[1].response.outcome.id",
    ),
    (b'{"response":{"status":"200","outcome":{"resourceType":"Basic"}}}', "Bundle.entry[1].response.outcome.code"),
    (b'{"resource":{"resourceType":"Patient","active":tru}}', "Bundle.entry[1].resource.active"),
    (b'{"resource":%s1%s}' % (b"[" * 10_000, b"]" * 10_000), "Bundle.entry[1].resource" + "[0]" * 97),
]


@pytest.mark.parametrize(("entry", "place"), WRONG)
def test_what_is_wrong_around_the_resources_is_found_at_its_place(entry: bytes, place: str) -> None:
    assert places(ENTRY % entry) == [place]


def test_duplicates_at_the_top_of_a_bundle_are_found() -> None:
    assert places(b'{"resourceType":"Bundle","type":"batch","entry":[],"entry":[{"fullUrl":"a"}]}') == ["Bundle.entry"]
    assert places(b'{"resourceType":"Bundle","type":"batch","type":"batch"}') == ["Bundle.type"]


def test_the_resources_of_a_split_bundle_are_left_to_accept() -> None:
    frame = split_bundle(ENTRY % b'{"resource":{"resourceType":"Patient","x":"\xff"}}')
    with pytest.raises(BadRequest) as refused:
        accept(None, frame.entries[1].resource or b"", "Bundle.entry[1].resource")
    assert refused.value.issues[0].expression == "Bundle.entry[1].resource.x"


def test_another_resource_is_no_bundle() -> None:
    assert places(b'{"resourceType":"Patient"}') == ["Bundle.resourceType"]
    assert places(b"[]") == ["Bundle"]


def test_a_large_bundle_is_split_entry_by_entry() -> None:
    """What is done for an entry does not depend on how many there are."""
    few, many = calls(split_bundle, large(400)), calls(split_bundle, large(8000))
    assert 400 < few
    assert many < 20 * few * 1.1


def large(entries: int) -> bytes:
    resource = json.loads(official("Observation-blood-pressure"))
    return bundle(*[{"fullUrl": f"urn:uuid:{n}", "resource": resource, "request": REQUEST} for n in range(entries)])

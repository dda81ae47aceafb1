"""fhir_server/operations/parameters.py: one way to read what came by GET and by POST."""

from __future__ import annotations

from typing import Any

import msgspec
import pytest

from ecluse.core import clock
from ecluse.core.errors import BadRequest, UnsupportedMedia
from ecluse.related.registries import Registries
from fhir_server.http.request import Request
from fhir_server.operations.parameters import Parameters, Taken, read
from fhir_server.store.resources import Site

NAMES = ("_since", "_type", "exact", "max", "resource", "coding")
TAKEN = Taken(NAMES)


def _request(query: str = "", body: bytes = b"", content_type: str = "application/fhir+json") -> Request:
    headers = {"content-type": content_type}
    method = "POST" if body else "GET"
    return Request(
        method, Site(1, "default", "UTC", Registries()), "http://x/fhir", (), query, headers, body, "r", clock.now()
    )


def _posted(*parameters: dict[str, Any], names: tuple[str, ...] = NAMES, body: str = "") -> Parameters:
    sent = msgspec.json.encode({"resourceType": "Parameters", "parameter": list(parameters)})
    return read(_request(body=sent), Taken(names, body))


def _issue(error: BadRequest) -> tuple[str, str]:
    return error.issues[0].text, error.issues[0].expression


def test_a_query_and_a_body_read_the_same() -> None:
    asked = read(_request("_since=2020-05&_type=Observation&_type=Condition&exact=true&max=3&_format=json"), TAKEN)
    sent = _posted(
        {"name": "_since", "valueDate": "2020-05"},
        {"name": "_type", "valueCode": "Observation"},
        {"name": "_type", "valueCode": "Condition"},
        {"name": "exact", "valueBoolean": True},
        {"name": "max", "valueInteger": 3},
    )
    for parameters in (asked, sent):
        assert parameters.interval("_since") == parameters.interval("_since")
        assert parameters.texts("_type") == ["Observation", "Condition"]
        assert (parameters.boolean("exact"), parameters.whole("max")) == (True, 3)
        assert parameters.text("resource") is None


def test_a_resource_is_left_as_its_bytes_even_when_it_is_wrong() -> None:
    wrong = b'{"resourceType":"Patient", "birthDate":"soon"}'
    body = b'{"resourceType":"Parameters","parameter":[{"name":"resource","resource":' + wrong + b"}]}"
    one = read(_request(body=body), TAKEN).one("resource")
    assert one is not None and bytes(one.resource or b"") == wrong
    assert one.expression == "Parameters.parameter[0]"


def test_a_resource_alone_is_the_body_of_an_operation_that_takes_it() -> None:
    for data in (b'{"resourceType":"Patient"}', b"[]", b"{"):
        one = read(_request(body=data), Taken(NAMES, "resource")).one("resource")
        assert one is not None and bytes(one.resource or b"") == data
    with pytest.raises(BadRequest):
        read(_request(body=b'{"resourceType":"Patient"}'), TAKEN)


def test_a_structure_comes_as_its_dict() -> None:
    coding = {"system": "http://loinc.org", "code": "718-7"}
    assert _posted({"name": "coding", "valueCoding": coding}).structure("coding") == coding
    with pytest.raises(BadRequest, match="POST it"):
        read(_request("coding=718-7"), TAKEN).structure("coding")


def test_an_unknown_name_is_refused_with_the_nearest_one_and_its_place() -> None:
    with pytest.raises(BadRequest) as refused:
        _posted({"name": "max", "valueInteger": 1}, {"name": "_sinse", "valueDate": "2020"})
    text, expression = _issue(refused.value)
    assert text.startswith("This operation has no parameter _sinse; it takes _since,")
    assert expression == "Parameters.parameter[1]"


@pytest.mark.parametrize("query", ["max=-1", "max=x", "max=1&max=2", "max=", "max=٣"])
def test_a_number_that_is_none_is_refused(query: str) -> None:
    with pytest.raises(BadRequest, match="max: "):
        read(_request(query), TAKEN).whole("max")


def test_a_number_has_bounds() -> None:
    assert read(_request("max=99999999999999"), TAKEN).whole("max", most=500) == 500
    with pytest.raises(BadRequest, match="at least 1"):
        read(_request("max=0"), TAKEN).whole("max", least=1)


def test_a_date_that_is_none_is_refused() -> None:
    assert read(_request("_since=2020-05-03T10:00:00+02:00"), TAKEN).interval("_since")
    with pytest.raises(BadRequest, match="_since: write a date"):
        read(_request("_since=soon"), TAKEN).interval("_since")


@pytest.mark.parametrize(
    "data",
    [
        b"{",
        b"[1]",
        b'{"resourceType":"Parameters","parameter":{}}',
        b'{"resourceType":"Parameters","parameter":[{"name":"max","valueInteger":"3"}]}',
        b'{"resourceType":"Parameters","parameter":[{"valueInteger":3}]}',
        b'{"resourceType":"Parameters","parameter":[{"name":"max","name":"max","valueInteger":3}]}',
        b'{"resourceType":"Patient"}',
    ],
)
def test_a_body_that_is_no_parameters_is_refused(data: bytes) -> None:
    with pytest.raises(BadRequest):
        read(_request(body=data), TAKEN)


def test_a_sign_that_no_text_has_is_refused() -> None:
    with pytest.raises(BadRequest, match="control"):
        read(_request("_type=a%00b"), TAKEN)


def test_a_body_of_another_media_type_is_refused() -> None:
    with pytest.raises(UnsupportedMedia):
        read(_request(body=b"x=1", content_type="text/plain"), TAKEN)

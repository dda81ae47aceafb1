"""XML Patch: RFC 5261 on the XML of a resource."""

from __future__ import annotations

import re
from typing import Any

import pytest

from ecluse.core.errors import BadRequest, Unprocessable
from ecluse.core.fhir import json
from ecluse.core.fhir.patch.xml_patch import read

PATIENT = {
    "resourceType": "Patient",
    "active": True,
    "identifier": [{"system": "urn:a", "value": "1"}, {"system": "urn:b", "value": "2"}],
    "name": [{"family": "Lemaire", "given": ["Anne", "Lise"]}],
}


def _diff(*operations: str, spaces: str = 'xmlns:f="http://hl7.org/fhir"') -> bytes:
    return f"<?xml version='1.0' encoding='UTF-8'?><diff {spaces}>{''.join(operations)}</diff>".encode()


def _patched(*operations: str, **given: Any) -> dict[str, Any]:
    patched = read(_diff(*operations))(json.decode(json.encode({**PATIENT, **given})))
    return {name: value for name, value in patched.items() if {**PATIENT, **given}.get(name) != value}


NARRATIVE = {"text": {"status": "generated", "div": '<div xmlns="http://www.w3.org/1999/xhtml">a<b>c</b>d</div>'}}
XHTML = 'xmlns:h="http://www.w3.org/1999/xhtml"'


@pytest.mark.parametrize(
    ("operation", "changed"),
    [
        ('<replace sel="f:Patient/f:active/@value">false</replace>', {"active": False}),
        ('<replace sel="/f:Patient/f:active/@value">false</replace>', {"active": False}),
        ('<replace sel="Patient/active/@value">false</replace>', {"active": False}),
        ('<replace sel="*/f:active"><f:active value="false"/></replace>', {"active": False}),
        ('<add sel="f:Patient"><f:birthDate value="1956-03"/></add>', {"birthDate": "1956-03"}),
        ('<add sel="f:Patient"><birthDate value="1956-03"/></add>', {"birthDate": "1956-03"}),
        ('<add sel="f:Patient/f:name" type="@id">n1</add>', {"name": [{"id": "n1", **PATIENT["name"][0]}]}),
        (
            '<add sel="f:Patient/f:name/f:given[1]" pos="after"><f:given value="Marie"/></add>',
            {"name": [{"family": "Lemaire", "given": ["Anne", "Marie", "Lise"]}]},
        ),
        (
            '<add sel="f:Patient/f:name/f:given[1]" pos="before"><f:given value="Eve"/></add>',
            {"name": [{"family": "Lemaire", "given": ["Eve", "Anne", "Lise"]}]},
        ),
        (
            '<remove sel="f:Patient/f:name/f:given[2]"/>',
            {"name": [{"family": "Lemaire", "given": ["Anne"]}]},
        ),
        (
            """<remove sel="f:Patient/f:identifier[f:system/@value='urn:a']"/>""",
            {"identifier": [{"system": "urn:b", "value": "2"}]},
        ),
        (
            """<replace sel="f:Patient/f:identifier/f:value[@value='2']/@value">3</replace>""",
            {"identifier": [{"system": "urn:a", "value": "1"}, {"system": "urn:b", "value": "3"}]},
        ),
    ],
)
def test_an_operation_does_what_the_rfc_says(operation: str, changed: dict[str, Any]) -> None:
    assert _patched(operation) == changed


@pytest.mark.parametrize(
    ("operation", "inside"),
    [
        (f'<add {XHTML} sel="f:Patient/f:text/h:div/h:b" pos="after"><h:i>e</h:i></add>', "a<b>c</b><i>e</i>d"),
        (f'<add {XHTML} sel="f:Patient/f:text/h:div/h:b" pos="before"><h:i>e</h:i></add>', "a<i>e</i><b>c</b>d"),
        (f'<add {XHTML} sel="f:Patient/f:text/h:div" pos="prepend">x<h:i>e</h:i>y</add>', "x<i>e</i>ya<b>c</b>d"),
        (f'<add {XHTML} sel="f:Patient/f:text/h:div">x<h:i>e</h:i></add>', "a<b>c</b>dx<i>e</i>"),
        (f'<remove {XHTML} sel="f:Patient/f:text/h:div/h:b"/>', "ad"),
        (f'<replace {XHTML} sel="f:Patient/f:text/h:div/h:b/text()">e</replace>', "a<b>e</b>d"),
        (f'<replace {XHTML} sel="f:Patient/f:text/h:div/text()[2]">e</replace>', "a<b>c</b>e"),
    ],
)
def test_text_in_a_narrative_stays_where_it_stands(operation: str, inside: str) -> None:
    div = re.sub(r' xmlns(:h)?="[^"]*"|(?<=[</])h:', "", _patched(operation, **NARRATIVE)["text"]["div"])
    assert div == f"<div>{inside}</div>"


def test_numbers_keep_their_lexemes() -> None:
    observation = json.decode(b'{"resourceType":"Observation","valueQuantity":{"value":1.00,"unit":"mg"}}')
    patch = _diff('<replace sel="f:Observation/f:valueQuantity/f:unit/@value">g</replace>')
    assert json.encode(read(patch)(observation)["valueQuantity"]) == b'{"value":1.00,"unit":"g"}'


@pytest.mark.parametrize(
    ("operation", "words"),
    [
        ('<remove sel="f:Patient/f:photo"/>', "selects 0 nodes"),
        ('<remove sel="f:Patient/f:identifier"/>', "selects 2 nodes"),
        ('<remove sel="f:Patient"/>', "DELETE it"),
        ('<replace sel="f:Patient"><f:Basic/></replace>', "the resource itself stays"),
        ('<replace sel="f:Patient/f:active"/>', "by one element"),
        ('<add sel="f:Patient" pos="after"><f:x/></add>', "nothing stands beside"),
        ('<add sel="f:Patient/f:active/@value">x</add>', "attribute or text"),
        ('<add sel="f:Patient/f:active" type="@value">x</add>', "stands there already"),
    ],
)
def test_an_operation_that_cannot_be_done_is_refused(operation: str, words: str) -> None:
    with pytest.raises(Unprocessable) as refused:
        _patched('<replace sel="f:Patient/f:active/@value">false</replace>', operation)
    (issue,) = refused.value.issues
    assert issue.text.startswith("Operation 1 of the patch")
    assert words in issue.text


def test_a_result_that_is_no_resource_is_refused_with_the_place() -> None:
    with pytest.raises(Unprocessable) as refused:
        _patched('<add sel="f:Patient"><f:colour value="red"/></add>')
    assert "colour" in refused.value.issues[0].text


def test_every_operation_that_cannot_be_read_is_told_at_once() -> None:
    paths = [
        "",
        "f:Patient//f:name",
        "count(f:Patient)",
        "f:Patient/f:name[position()=1]",
        "x:Patient",
        "f:Patient | f:Basic",
    ]
    operations = [f'<remove sel="{path}"/>' for path in paths]
    more = [
        "<move/>",
        '<add sel="f:Patient" type="@a b">y</add>',
        '<add sel="f:Patient" type="namespace::x">y</add>',
        '<add sel="f:Patient" pos="under"/>',
    ]
    with pytest.raises(BadRequest) as refused:
        read(_diff(*operations, *more))
    assert [issue.expression for issue in refused.value.issues] == [f"diff.operation[{at}]" for at in range(10)]


@pytest.mark.parametrize(
    "text",
    [
        b"",
        b"<diff>",
        b"<other/>",
        b'{"op":"add"}',
        b"<!DOCTYPE diff [<!ENTITY a 'b'>]><diff><remove sel='&a;'/></diff>",
        b"\xff\xfe<\x00",
    ],
)
def test_what_is_no_patch_is_refused(text: bytes) -> None:
    with pytest.raises(BadRequest):
        read(text)

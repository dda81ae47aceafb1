"""What XML alone can have wrong, and what it may have that JSON has not."""

from __future__ import annotations

import random
from contextlib import suppress

import pytest

from ecluse.core.errors import BadRequest
from ecluse.core.fhir import json
from ecluse.core.fhir.xml.reading import lines, to_json
from ecluse.core.fhir.xml.writing import to_xml
from tests.cost import MOST_CPU_S, cpu_s
from tests.official import official

N = 'xmlns="http://hl7.org/fhir"'
DIV = '<div xmlns="http://www.w3.org/1999/xhtml">'


def test_comments_instructions_and_schema_locations_are_left_out() -> None:
    xml = (
        f'<?xml version="1.0"?><?style x?><!-- a --><Patient {N} xmlns:i="http://www.w3.org/2001/XMLSchema-instance" '
        'i:schemaLocation="http://hl7.org/fhir ../patient.xsd"><!-- b --><active value="true"/><?c d?></Patient>'
    )
    assert to_json(b"\xef\xbb\xbf" + xml.encode()) == b'{"resourceType":"Patient","active":true}'


def test_a_prefix_of_any_name_is_read() -> None:
    xml = (
        '<f:Patient xmlns:f="http://hl7.org/fhir" xmlns:h="http://www.w3.org/1999/xhtml"><f:text>'
        '<f:status value="generated"/><h:div title="t">a <h:b>b</h:b><!-- c --> d<h:br/></h:div></f:text></f:Patient>'
    )
    div = rb"<div xmlns=\"http://www.w3.org/1999/xhtml\" title=\"t\">a <b>b</b><!-- c --> d<br/></div>"
    assert to_json(xml.encode()) == b'{"resourceType":"Patient","text":{"status":"generated","div":"%b"}}' % div


@pytest.mark.parametrize("inside", ["", "a", "<br/>", "\r\n\t", "<![CDATA[<x>]]>", "&#233;&lt;", "<div>a</div><div/>"])
def test_a_narrative_keeps_each_of_its_signs(inside: str) -> None:
    div = f"{DIV}{inside}</div >"
    xml = f'<Patient {N}><text><status value="generated"/>{div}</text><active value="true"/></Patient>'
    assert json.decode(to_json(xml.encode()))["text"]["div"] == div


def test_a_narrative_of_one_tag_is_read() -> None:
    xml = f'<Patient {N}><text><div xmlns="http://www.w3.org/1999/xhtml" title="/>"/></text></Patient>'
    assert rb'title=\"/>\"/>"' in to_json(xml.encode())


def test_all_that_is_wrong_is_told_at_once() -> None:
    xml = f'<Patient {N}>\n<nom/>\n<active value="1"/>\n<name value="x"><family/></name></Patient>'
    with pytest.raises(BadRequest) as refused:
        to_json(xml.encode())
    assert [(issue.expression, issue.diagnostics.split(",")[0]) for issue in refused.value.issues] == [
        ("Patient.nom", "line 2"),
        ("Patient.active", "line 3"),
        ("Patient.name[0]", "line 4"),
        ("Patient.name[0].family", "line 4"),
    ]


def test_ten_thousand_problems_are_told_in_two_hundred() -> None:
    with pytest.raises(BadRequest) as refused:
        to_json(f"<Patient {N}>{'<nom/>' * 10_000}</Patient>".encode())
    assert len(refused.value.issues) == 201


def test_the_line_of_each_element_is_known() -> None:
    names = "<name><given value='a'/>\n<given value='b'/></name>"
    xml = f"<Bundle {N}>\n<entry>\n<resource><Patient>\n{names}</Patient></resource></entry></Bundle>"
    found = lines(xml.encode())
    assert (found["Bundle.entry[0]"], found["Bundle.entry[0].resource"]) == (2, 3)
    assert found["Bundle.entry[0].resource.name[0].given[1]"] == 5


@pytest.mark.parametrize(
    "xml",
    [
        f"<Patient {N}>" + "<extension>" * 100_000,
        f"<Patient {N}><text>{DIV}" + "<p>" * 300_000,
        f"<Patient {N}><text>{DIV}" + "<p>" * 100_000 + "</p>" * 100_000 + "</div></text></Patient>",
        "<" * 1_000_000,
        f"<Patient {N} " + " ".join(f'a{n}="x"' for n in range(300_000)) + "/>",
        f"<Patient {N}>" + "<!--" * 1_000_000,
        f'<Patient {N} xmlns:h="http://www.w3.org/1999/xhtml"><text><h:div>' + "<h:p>" * 100_000 + "</h:p>" * 100_000,
        f"<Patient {N}>" + "&#65;" * 2_000_000 + "</Patient>",
    ],
    ids=[
        "deep",
        "deep narrative",
        "deep whole narrative",
        "open",
        "attributes",
        "comments",
        "deep prefixes",
        "characters",
    ],
)
def test_hostile_xml_takes_no_more_time_than_its_length(xml: str) -> None:
    def read() -> None:
        with suppress(BadRequest):
            to_json(xml.encode())

    assert cpu_s(read) < MOST_CPU_S


PIECES = (
    *(
        b"<",
        b">",
        b"/>",
        b"</div>",
        b'"',
        b"&",
        b"&#0;",
        b"<!--",
        b"-->",
        b"<![CDATA[",
        b"]]>",
        b"<?x ?>",
        b"\x00",
        b"\xff",
    ),
    *(
        b' value="x"',
        b' xmlns="u"',
        b' xmlns:f="http://hl7.org/fhir"',
        b"f:",
        b"h:",
        b"<div>",
        DIV.encode(),
        b"<!DOCTYPE x>",
    ),
    *(
        b"<id/>",
        b"<extension/>",
        b' id=""',
        b"<contained>",
        b"</contained>",
        b"<Patient/>",
        b' url="u"',
        b"e+",
        b"-",
        b".",
    ),
)


@pytest.mark.parametrize("seed", range(8))
def test_whatever_is_not_read_is_refused_with_words(seed: int) -> None:
    chance = random.Random(seed)
    good = to_xml(official(chance.choice(["Patient-example", "Observation-decimal", "Bundle-101", "List-example"])))
    refused = 0
    for _ in range(300):
        bad = bytearray(good)
        for _ in range(chance.randint(1, 4)):
            start = chance.randrange(len(bad))
            bad[start : start + chance.choice((0, 0, 1, 20))] = chance.choice(PIECES)
        try:
            to_json(bytes(bad))
            lines(bytes(bad))
        except BadRequest as error:
            refused += 1
            assert all(issue.text and "line" in issue.diagnostics for issue in error.issues)
    assert refused > 200


def test_a_holder_takes_no_attributes() -> None:
    xml = f'<Observation {N}><contained id="a" url="b" value="c"><Patient id="d"/></contained></Observation>'
    with pytest.raises(BadRequest) as refused:
        to_json(xml.encode())
    places = [issue.expression for issue in refused.value.issues]
    assert places == ["Observation.contained[0]"] * 4

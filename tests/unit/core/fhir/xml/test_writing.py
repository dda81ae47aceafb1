"""What FHIR XML looks like."""

from __future__ import annotations

import pytest

from ecluse.core.fhir import json
from ecluse.core.fhir.xml.narrative import in_xml, is_xhtml
from ecluse.core.fhir.xml.writing import to_xml

HEAD = '<?xml version="1.0" encoding="UTF-8"?>'
OPEN = '<div xmlns="http://www.w3.org/1999/xhtml"'


def test_elements_stand_in_the_order_of_their_definition() -> None:
    resource = {
        "name": [{"given": ["a", "b"], "family": "c", "id": "n"}],
        "_birthDate": {"extension": [{"valueCode": "x", "url": "urn:x"}]},
        "contained": [{"id": "o", "resourceType": "Organization"}],
        "active": True,
        "id": "1",
        "resourceType": "Patient",
    }
    assert to_xml(json.encode(resource)).decode() == (
        f'{HEAD}<Patient xmlns="http://hl7.org/fhir"><id value="1"/>'
        '<contained><Organization><id value="o"/></Organization></contained><active value="true"/>'
        '<name id="n"><family value="c"/><given value="a"/><given value="b"/></name>'
        '<birthDate><extension url="urn:x"><valueCode value="x"/></extension></birthDate></Patient>'
    )


def test_pretty_has_a_line_for_each_element() -> None:
    data = b'{"resourceType":"Patient","name":[{"family":"x"}]}'
    expected = (
        f'{HEAD}\n<Patient xmlns="http://hl7.org/fhir">\n  <name>\n    <family value="x"/>\n  </name>\n</Patient>'
    )
    assert to_xml(data, pretty=True).decode() == expected


@pytest.mark.parametrize(
    ("div", "written"),
    [
        (f"{OPEN}>a<br/>&#160;</div>", f"{OPEN}>a<br/>&#160;</div>"),
        (f"\n {OPEN}>a</div> ", f"{OPEN}>a</div>"),
        ("<div>a</div>", f"{OPEN}>a</div>"),
        ('<div class="x">a</div>', f'{OPEN} class="x">a</div>'),
        ("<div>a&nbsp;b<br>c</div>", f"{OPEN}>a\xa0b<br/>c</div>"),
        (f"{OPEN}>a<b></div>", f"{OPEN}>a<b/></div>"),
        ("<div><o:p>x</o:p></div>", f"{OPEN}><span>x</span></div>"),
        ("<div>\x01\uffff</div>", f"{OPEN}>\ufffd\ufffd</div>"),
        ("<div ", f"{OPEN}/>"),
        ('<div xmlns="urn:other">a</div>', f"{OPEN}>a</div>"),
    ],
)
def test_a_narrative_passes_as_it_is_or_as_a_browser_reads_it(div: str, written: str) -> None:
    assert in_xml(div) == written
    assert is_xhtml(written)

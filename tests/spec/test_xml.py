"""http://hl7.org/fhir/R4/xml.html: every interaction in XML, in both directions."""

from __future__ import annotations

import uuid
import xml.etree.ElementTree as ET

import asyncpg
import httpx
import pytest

N = 'xmlns="http://hl7.org/fhir"'
DIV = '<div xmlns="http://www.w3.org/1999/xhtml"><p>a <b>b</b>&#160;<![CDATA[<c>]]><!-- d --> é<br/></p></div>'
PATIENT = (
    f'<?xml version="1.0" encoding="UTF-8"?><!-- from a ward -->\n<Patient {N}>%s'
    f'<text><status value="generated"/>{DIV}</text><active value="true"/>'
    '<name><given value="Zoé"/><given><extension url="urn:x"><valueDecimal value="1.00"/></extension></given></name>'
    '<birthDate id="b" value="1956-03"/><deceasedBoolean value="false"/></Patient>'
)
XML = {"Content-Type": "application/fhir+xml", "Accept": "application/fhir+xml"}
FHIR = "{http://hl7.org/fhir}"
STRUCTURE = {"X-Ecluse-Validation": "structure"}
"""For what only a server that checks no deeper stores."""


def _document(answer: httpx.Response) -> ET.Element:
    assert answer.headers["content-type"] == "application/fhir+xml; charset=utf-8", answer.text
    return ET.fromstring(answer.content)


def _value(element: ET.Element, path: str) -> str | None:
    found = element.find("/".join(FHIR + step for step in path.split("/")))
    return None if found is None else found.get("value")


def _created(fhir: httpx.Client) -> str:
    answer = fhir.post("/Patient", content=PATIENT % "", headers=XML)
    assert answer.status_code == 201, answer.text
    resource_id = _value(_document(answer), "id")
    assert resource_id
    return resource_id


@pytest.mark.parametrize("media", ["application/fhir+xml", "application/xml", "text/xml; charset=utf-8"])
def test_a_resource_in_xml_is_created_and_read_as_json(fhir: httpx.Client, media: str) -> None:
    answer = fhir.post("/Patient", content=PATIENT % "", headers={"Content-Type": media})
    assert answer.status_code == 201, answer.text
    assert answer.headers["content-type"] == "application/fhir+json; charset=utf-8"
    body = answer.json()
    assert body["text"]["div"] == DIV
    assert body["name"] == [
        {
            "given": ["Zoé", None],
            "_given": [None, {"extension": [{"url": "urn:x", "valueDecimal": 1.00}]}],
        }
    ]
    assert '"valueDecimal":1.00' in answer.text
    assert (body["birthDate"], body["_birthDate"], body["deceasedBoolean"]) == ("1956-03", {"id": "b"}, False)


def test_read_vread_and_history_answer_in_xml(fhir: httpx.Client) -> None:
    resource_id = _created(fhir)
    for url in (f"/Patient/{resource_id}", f"/Patient/{resource_id}/_history/1"):
        answer = fhir.get(url, headers={"Accept": "application/fhir+xml"})
        assert (answer.status_code, answer.headers["etag"]) == (200, 'W/"1"')
        root = _document(answer)
        assert root.tag == f"{FHIR}Patient"
        assert _value(root, "meta/versionId") == "1"
        assert DIV in answer.text
    history = _document(fhir.get(f"/Patient/{resource_id}/_history?_format=xml"))
    assert (_value(history, "type"), _value(history, "entry/resource/Patient/id")) == ("history", resource_id)


def test_update_in_xml_makes_the_next_version(fhir: httpx.Client) -> None:
    resource_id = _created(fhir)
    sent = (PATIENT % f'<id value="{resource_id}"/>').replace('active value="true"', 'active value="false"')
    answer = fhir.put(f"/Patient/{resource_id}", content=sent, headers=XML)
    assert (answer.status_code, answer.headers["etag"]) == (200, 'W/"2"'), answer.text
    assert _value(_document(answer), "active") == "false"
    assert fhir.get(f"/Patient/{resource_id}").json()["active"] is False


def test_search_and_metadata_answer_in_xml(fhir: httpx.Client) -> None:
    resource_id = _created(fhir)
    found = _document(fhir.get(f"/Patient?_id={resource_id}", headers={"Accept": "text/xml"}))
    assert _value(found, "entry/resource/Patient/id") == resource_id
    posted = fhir.post("/Patient/_search", data={"_id": resource_id, "_format": "xml"})
    assert _value(_document(posted), "entry/resource/Patient/id") == resource_id
    assert _value(_document(fhir.get("/metadata?_format=xml")), "fhirVersion") == "4.0.1"


@pytest.mark.parametrize("kind", ["transaction", "batch"])
def test_a_bundle_in_xml_is_answered_in_xml(fhir: httpx.Client, kind: str) -> None:
    urn = f"urn:uuid:{uuid.uuid4()}"
    sent = f"""<Bundle {N}><type value="{kind}"/>
      <entry><fullUrl value="{urn}"/><resource><Patient><active value="true"/></Patient></resource>
        <request><method value="POST"/><url value="Patient"/></request></entry>
      <entry><resource><Observation><status value="final"/><code><text value="x"/></code>
        <subject><reference value="{urn}"/></subject>
        <valueQuantity><value value="0.10"/></valueQuantity></Observation></resource>
        <request><method value="POST"/><url value="Observation"/></request></entry></Bundle>"""
    answer = fhir.post("/", content=sent, headers=XML)
    assert answer.status_code == 200, answer.text
    root = _document(answer)
    assert _value(root, "type") == f"{kind}-response"
    statuses = [entry.find(f"{FHIR}response/{FHIR}status") for entry in root.iter(f"{FHIR}entry")]
    assert [status.get("value") for status in statuses if status is not None] == ["201 Created"] * 2
    location = _value(root.findall(f"{FHIR}entry")[1], "response/location") or ""
    observation = fhir.get("/" + location.partition("/_history")[0])
    assert '"value":0.10' in observation.text


BAD = {
    "unknown element": (f'<Patient {N}>\n<name><famly value="x"/></name></Patient>', "Patient.name[0].famly", "line 2"),
    "bad value": (f'<Patient {N}><active value="yes"/></Patient>', "Patient.active", "line 1"),
    "bad date": (f'<Patient {N}>\n\n<birthDate value="1980-02-30"/></Patient>', "Patient.birthDate", "line 3"),
    "no value": (f"<Patient {N}><birthDate/></Patient>", "Patient.birthDate", "line 1"),
    "twice": (f'<Patient {N}><gender value="male"/><gender value="female"/></Patient>', "Patient.gender", "line 1"),
    "two choices": (
        f'<Patient {N}><deceasedBoolean value="true"/><deceasedDateTime value="2020"/></Patient>',
        "Patient.deceased",
        "line 1",
    ),
    "text": (f"<Patient {N}>Zoé</Patient>", "Patient", "Zo"),
    "attribute": (f'<Patient {N}><name use="usual"><family value="x"/></name></Patient>', "Patient.name[0]", "line 1"),
    "no namespace": ('<Patient><active value="true"/></Patient>', "Patient", "no namespace"),
    "other namespace": ('<ClinicalDocument xmlns="urn:hl7-org:v3"/>', "ClinicalDocument", "urn:hl7-org:v3"),
    "narrative without namespace": (
        f'<Patient {N}><text><status value="generated"/><div>a</div></text></Patient>',
        "Patient.text.div",
        "line 1",
    ),
    "entity of html": (
        f'<Patient {N}><text><status value="generated"/><div xmlns="http://www.w3.org/1999/xhtml">&nbsp;</div></text></Patient>',
        "Patient.text",
        "line 1",
    ),
    "external entity": (
        f'<!DOCTYPE a [<!ENTITY x SYSTEM "file:///etc/passwd">]><Patient {N}><language value="&x;"/></Patient>',
        "",
        "line 1",
    ),
    "billion laughs": (
        '<!DOCTYPE l [<!ENTITY a "ha">'
        + "".join(f'<!ENTITY {chr(98 + i)} "{f"&{chr(97 + i)};" * 10}">' for i in range(20))
        + f']><Patient {N}><language value="&u;"/></Patient>',
        "",
        "line 1",
    ),
    "external document type": (f'<!DOCTYPE a SYSTEM "http://127.0.0.1:1/x.dtd"><Patient {N}/>', "", "line 1"),
    "deep": (f"<Patient {N}>" + '<extension url="a">' * 20_000, "", "line 1"),
    "cut off": (f"<Patient {N}><active", "Patient", "line 1"),
    "empty": ("", "", "line 1"),
    "latin-1": (f'<?xml version="1.0" encoding="ISO-8859-1"?><Patient {N}/>', "", "line 1"),
    "json": ('{"resourceType":"Patient"}', "", "line 1"),
    "empty holder": (f"<Observation {N}><contained/></Observation>", "Observation.contained[0]", "line 1"),
    "entry": (
        f'<Bundle {N}><type value="transaction"/>\n<entry><resource><Patient>\n'
        '<gender value="x y  z"/></Patient></resource>'
        '<request><method value="POST"/><url value="Patient"/></request></entry></Bundle>',
        "Bundle.entry[0].resource.gender",
        "line 3",
    ),
}


@pytest.mark.parametrize("name", BAD)
def test_bad_xml_is_a_400_in_xml_that_names_place_and_line(fhir: httpx.Client, name: str) -> None:
    body, place, told = BAD[name]
    path = "/" if "<Bundle" in body else "/Observation" if "<Observation" in body else "/Patient"
    answer = fhir.post(path, content=body.encode(), headers=XML)
    assert answer.status_code == 400, answer.text
    root = _document(answer)
    assert root.tag == f"{FHIR}OperationOutcome"
    issues = root.findall(f"{FHIR}issue")
    assert all(
        _value(issue, "severity") and _value(issue, "code") and _value(issue, "details/text") for issue in issues
    )
    assert any(told in (_value(issue, "diagnostics") or "") for issue in issues), answer.text
    if place:
        assert place in [_value(issue, "expression") for issue in issues], answer.text
    assert fhir.get("/metadata").status_code == 200


def test_an_error_comes_in_the_format_that_the_client_takes(fhir: httpx.Client) -> None:
    for headers, url in (({"Accept": "application/fhir+xml"}, "/Patient/nobody"), ({}, "/Patient/nobody?_format=xml")):
        answer = fhir.get(url, headers=headers)
        assert answer.status_code == 404
        assert _value(_document(answer), "issue/code") == "not-found"
    broken = fhir.post("/Patient", content=f"<Patient {N}><", headers={"Content-Type": "text/xml"})
    assert (broken.status_code, broken.json()["issue"][0]["expression"]) == (400, ["Patient"])


def test_what_came_as_xml_is_recorded_as_such(fhir: httpx.Client) -> None:
    answer = fhir.post("/Patient", content=f"<Patient {N}/>", headers={**XML, "Prefer": "return=minimal"})
    assert (answer.status_code, answer.content) == (201, b"")
    assert fhir.get(answer.headers["location"]).json().keys() == {"resourceType", "id", "meta"}


def test_pretty_xml_has_a_line_for_each_element_and_the_narrative_as_it_is(fhir: httpx.Client) -> None:
    answer = fhir.get(f"/Patient/{_created(fhir)}?_pretty=true&_format=xml")
    assert '\n  <active value="true"/>\n' in answer.text
    assert f"\n    {DIV}\n" in answer.text


def test_text_that_json_alone_can_hold_is_answered_as_readable_xml(fhir: httpx.Client) -> None:
    body = {
        "resourceType": "Patient",
        "text": {"status": "generated", "div": "<div>a&nbsp;b<br>c<o:p>d</div>"},
        "name": [{"family": 'a\tb\n<c>&"\uffff'}],
    }
    resource_id = fhir.post("/Patient", json=body, headers=STRUCTURE).json()["id"]
    answer = fhir.get(f"/Patient/{resource_id}?_format=xml")
    root = _document(answer)
    assert _value(root, "name/family") == 'a\tb\n<c>&"\ufffd'
    div = root.find(f"{FHIR}text/{{http://www.w3.org/1999/xhtml}}div")
    assert div is not None
    assert "".join(div.itertext()) == "a\xa0bcd"
    assert fhir.get(f"/Patient/{resource_id}").json()["text"]["div"] == body["text"]["div"]


async def test_a_write_whose_answer_cannot_be_xml_is_told_as_done_in_json(
    fhir: httpx.Client, store: asyncpg.Connection
) -> None:
    """The stored body is no R4, as an older server may have left it."""
    marker = str(uuid.uuid4())
    created = fhir.post(
        "/Basic", json={"resourceType": "Basic", "code": {"text": "x"}, "identifier": [{"value": marker}]}
    )
    resource_id = created.json()["id"]
    body = created.text.replace('"code"', '"kode"').encode()
    changed = await store.execute(
        "UPDATE fhir.version v SET body = $2 FROM fhir.resource r WHERE r.pk = v.pk AND r.id = $1", resource_id, body
    )
    assert changed == "UPDATE 1"
    again = f'<Basic {N}><identifier><value value="{marker}"/></identifier><code><text value="x"/></code></Basic>'
    answer = fhir.post("/Basic", content=again, headers={**XML, "If-None-Exist": f"identifier={marker}"})
    assert (answer.status_code, answer.headers["etag"]) == (200, 'W/"1"'), answer.text
    assert answer.headers["content-type"].startswith("application/fhir+json")
    assert answer.content == body
    entry = f'<entry><request><method value="GET"/><url value="Basic/{resource_id}"/></request></entry>'
    create = f'<entry><resource>{again}</resource><request><method value="POST"/><url value="Basic"/></request></entry>'
    bundle = f'<Bundle {N}><type value="transaction"/>{create}{entry}</Bundle>'
    answer = fhir.post("/", content=bundle, headers=XML)
    assert answer.status_code == 200, answer.text
    location = answer.json()["entry"][0]["response"]["location"]
    assert fhir.get(f"/{location}").status_code == 200

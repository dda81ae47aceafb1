"""SearchParameters made at run time: asked for, built over what stands, served, and taken away."""

from __future__ import annotations

import json
import time
import uuid
from typing import Any

import asyncpg
import httpx
import pytest

from tests.services.server import Served
from tests.spec.search import hits
from tests.spec.search_parameters import fresh, made, parameter, settled, status, told

EXTENSION = "http://hospital.example/StructureDefinition/ward"


def patient(fhir: httpx.Client, ward: str, **members: Any) -> str:
    coded = {"url": EXTENSION, "valueCoding": {"system": "urn:wards", "code": ward}}
    answer = fhir.post("/Patient", json={"resourceType": "Patient", "extension": [coded], **members})
    assert answer.status_code == 201, answer.text
    own: str = answer.json()["id"]
    return own


def issue(answer: httpx.Response) -> tuple[str, str]:
    """Text and place of the first issue."""
    first = answer.json()["issue"][0]
    return first["details"]["text"], first.get("expression", [""])[0]


def test_what_stands_and_what_comes_is_found_by_an_extension(fhir: httpx.Client) -> None:
    ward = uuid.uuid4().hex
    before = [patient(fhir, ward) for _ in range(3)]
    patient(fhir, ward + "x")
    code = fresh("ward")
    own = made(fhir, parameter(code, f"Patient.extension('{EXTENSION}').value.as(Coding)"))
    told_of = status(fhir, own)
    assert told_of["source"] == f"SearchParameter/{own}"
    assert told_of["base"] == ["Patient"]
    assert hits(fhir, f"/Patient?{code}={ward}") == before
    after = patient(fhir, ward)
    assert hits(fhir, f"/Patient?{code}=urn:wards|{ward}") == [*before, after]
    moved = {"resourceType": "Patient", "id": after, "gender": "female"}
    assert fhir.put(f"/Patient/{after}", json=moved).status_code == 200
    assert fhir.delete(f"/Patient/{before[0]}").status_code == 204
    assert hits(fhir, f"/Patient?{code}={ward}") == before[1:]


def test_any_fhirpath_that_reads_the_resource_alone_is_served(fhir: httpx.Client) -> None:
    family = "Nom" + uuid.uuid4().hex[:8]
    names = [{"use": "old", "family": "Ancien"}, {"use": "official", "family": family}]
    own = fhir.post("/Patient", json={"resourceType": "Patient", "name": names}).json()["id"]
    code = fresh("official")
    made(fhir, parameter(code, "Patient.name.where(use = 'official').first().family", type="string"))
    assert hits(fhir, f"/Patient?{code}={family[:6].lower()}&_id={own}") == [own]
    assert hits(fhir, f"/Patient?{code}=ancien&_id={own}") == []


def test_a_parameter_that_combines_what_is_indexed_is_active_at_once(fhir: httpx.Client) -> None:
    code = fresh("anyname")
    resource = parameter(code, "Patient.name.family | Patient.name.given", type="string")
    own = fhir.post("/SearchParameter", json=resource).json()["id"]
    assert status(fhir, own)["state"] == "active"
    given = "Prenom" + uuid.uuid4().hex[:8]
    found = fhir.post("/Patient", json={"resourceType": "Patient", "name": [{"given": [given]}]}).json()["id"]
    assert hits(fhir, f"/Patient?{code}={given}") == [found]


def test_dates_sort_and_references_follow_their_targets(fhir: httpx.Client) -> None:
    url = "http://hospital.example/StructureDefinition/" + fresh("seen")
    days = ["2020-03-01", "2019-05", "2021"]
    ids = [
        fhir.post("/Patient", json={"resourceType": "Patient", "extension": [{"url": url, "valueDate": day}]}).json()[
            "id"
        ]
        for day in days
    ]
    seen = fresh("seen")
    made(fhir, parameter(seen, f"Patient.extension('{url}').value.as(date)", type="date"))
    assert hits(fhir, f"/Patient?{seen}=ge2019&_sort={seen}") == [ids[1], ids[0], ids[2]]
    assert hits(fhir, f"/Patient?{seen}=lt2020-03") == [ids[1]]
    doctor = fresh("doctor")
    expression = "Patient.generalPractitioner.where(resolve() is Practitioner)"
    made(fhir, parameter(doctor, expression, type="reference", target=["Practitioner"]))
    person = "p-" + uuid.uuid4().hex[:8]
    body = {"resourceType": "Patient", "generalPractitioner": [{"reference": f"Practitioner/{person}"}]}
    found = fhir.post("/Patient", json=body).json()["id"]
    assert hits(fhir, f"/Patient?{doctor}=Practitioner/{person}") == [found]
    assert fhir.get(f"/Patient?{doctor}=Organization/{person}").status_code == 400


def test_choices_are_read_as_published_parameters_name_them(fhir: httpx.Client) -> None:
    """Those of US Core: `valueDateTime` is what JSON says, and FHIRPath does not."""
    url = "http://hospital.example/StructureDefinition/" + fresh("asserted")
    code = fresh("asserted")
    made(fhir, parameter(code, f"Patient.extension.where(url = '{url}').valueDateTime", type="date"))
    own = [{"url": url, "valueDateTime": "2020-03-01T10:00:00Z"}, {"url": f"{url}2", "valueDateTime": "2021"}]
    found = fhir.post("/Patient", json={"resourceType": "Patient", "extension": own}).json()["id"]
    assert hits(fhir, f"/Patient?{code}=2020-03-01") == [found]
    assert hits(fhir, f"/Patient?{code}=2021") == []
    nested, inner = (
        fresh("race"),
        {"url": "ombCategory", "valueCoding": {"system": "urn:race", "code": uuid.uuid4().hex}},
    )
    made(fhir, parameter(nested, f"Patient.extension.where(url = '{url}').extension.value.code"))
    body = {"resourceType": "Patient", "extension": [{"url": url, "extension": [inner]}]}
    found = fhir.post("/Patient", json=body).json()["id"]
    assert hits(fhir, f"/Patient?{nested}={inner['valueCoding']['code']}") == [found]


def test_references_of_ones_own_are_chained_and_included(fhir: httpx.Client) -> None:
    url = "http://hospital.example/StructureDefinition/" + fresh("guide")
    name = "Guide" + uuid.uuid4().hex[:8]
    guide = fhir.post("/Practitioner", json={"resourceType": "Practitioner", "name": [{"family": name}]}).json()["id"]
    guided = {"url": url, "valueReference": {"reference": f"Practitioner/{guide}"}}
    own = fhir.post("/Patient", json={"resourceType": "Patient", "extension": [guided]}).json()["id"]
    code = fresh("guide")
    expression = f"Patient.extension('{url}').value.as(Reference)"
    made(fhir, parameter(code, expression, type="reference", target=["Practitioner"]))
    assert hits(fhir, f"/Patient?{code}.family={name}") == [own]
    assert hits(fhir, f"/Practitioner?_has:Patient:{code}:_id={own}") == [guide]
    for asked in (f"Patient:{code}", "Patient:*"):
        entries = fhir.get(f"/Patient?_id={own}&_include={asked}").json()["entry"]
        assert [(one["resource"]["id"], one["search"]["mode"]) for one in entries] == [
            (own, "match"),
            (guide, "include"),
        ]


GENDER = {"definition": "http://hl7.org/fhir/SearchParameter/individual-gender", "expression": "gender"}
PHONE = {"definition": "http://hl7.org/fhir/SearchParameter/individual-telecom", "expression": "telecom"}


def composite(code: str, expression: str, *parts: dict[str, str], **members: Any) -> dict[str, Any]:
    return parameter(code, expression, type="composite", component=list(parts), **members)


def test_parts_of_a_composite_stand_in_one_item(fhir: httpx.Client) -> None:
    phone = uuid.uuid4().hex

    def person(*contacts: tuple[str, str]) -> str:
        listed = [
            {"gender": gender, "telecom": [{"system": "phone", "value": phone + end}]} for gender, end in contacts
        ]
        answer = fhir.post("/Patient", json={"resourceType": "Patient", "gender": "other", "contact": listed})
        own: str = answer.json()["id"]
        return own

    before = [person(("male", "1"), ("female", "2")), person(("female", "1"))]
    code = fresh("contact")
    own = made(fhir, composite(code, "Patient.contact", GENDER, PHONE))
    after = person(("other", "3"), ("male", "1"))
    assert hits(fhir, f"/Patient?{code}=male${phone}1") == [before[0], after]
    assert hits(fhir, f"/Patient?{code}=female${phone}1,other${phone}3") == [before[1], after]
    assert hits(fhir, f"/Patient?{code}=male${phone}2") == []
    assert hits(fhir, f"/Patient?{code}=male${phone}1&_sort=-_lastUpdated") == [after, before[0]]
    assert fhir.get(f"/Patient?{code}=male&_id={after}").status_code == 400
    assert fhir.get(f"/Patient?{code}:missing=true").status_code == 400
    outside = fresh("contact")
    whole = {**GENDER, "expression": "%resource.gender"}
    made(fhir, composite(outside, "Patient.contact", whole, PHONE))
    assert hits(fhir, f"/Patient?{outside}=other${phone}1") == [*before, after]
    listed = fhir.get("/metadata").json()["rest"][0]["resource"]
    (types,) = (one["searchParam"] for one in listed if one["type"] == "Patient")
    assert {"name": code, "type": "composite"}.items() <= next(one for one in types if one["name"] == code).items()
    assert fhir.delete(f"/SearchParameter/{own}").status_code in (200, 204)
    assert fhir.get(f"/Patient?{code}=male${phone}1").status_code == 400
    again = made(fhir, composite(code, "Patient.contact", PHONE, GENDER))
    assert hits(fhir, f"/Patient?{code}={phone}1$male") == [before[0], after]
    changed = composite(code, "Patient.contact", PHONE, {**GENDER, "expression": "%resource.gender"}, id=again)
    assert fhir.put(f"/SearchParameter/{again}", json=changed).status_code == 200
    assert settled(fhir, again)["state"] == "active"
    assert hits(fhir, f"/Patient?{code}={phone}1$other") == [*before, after]


def test_a_composite_of_what_r4_indexes_is_active_at_once(fhir: httpx.Client) -> None:
    value = {"value": 7, "unit": "mm", "system": "http://unitsofmeasure.org", "code": "mm"}
    code = uuid.uuid4().hex
    coded = {"coding": [{"system": "urn:codes", "code": code}]}
    other = {"coding": [{"system": "urn:codes", "code": code + "x"}]}
    base = {"resourceType": "Observation", "status": "final", "code": other}
    ids = [
        fhir.post("/Observation", json={**base, "component": parts}).json()["id"]
        for parts in (
            [{"code": coded, "valueQuantity": value}],
            [{"code": coded, "valueQuantity": {**value, "value": 3}}, {"code": other, "valueQuantity": value}],
        )
    ]
    parts = [
        {"definition": f"http://hl7.org/fhir/SearchParameter/Observation-{name}", "expression": expression}
        for name, expression in (("component-code", "code"), ("component-value-quantity", "value.as(Quantity)"))
    ]
    asked = fresh("part")
    own = fhir.post("/SearchParameter", json=composite(asked, "Observation.component", *parts, base=["Observation"]))
    assert own.status_code == 201, own.text
    assert status(fhir, own.json()["id"])["state"] == "active"
    for name in (asked, "component-code-value-quantity"):
        assert hits(fhir, f"/Observation?{name}=urn:codes|{code}$gt5||mm") == ids[:1]
        assert hits(fhir, f"/Observation?{name}=urn:codes|{code}$lt5") == ids[1:]
    same = composite("component-code-value-quantity", "Observation.component", *parts, base=["Observation"])
    stored = fhir.post("/SearchParameter", json=same)
    assert stored.status_code == 201, stored.text
    assert "R4 has the same" in status(fhir, stored.json()["id"])["reason"]
    turned = fhir.post("/SearchParameter", json={**same, "component": parts[::-1]})
    assert turned.status_code == 422
    assert "take another code" in issue(turned)[0]


def test_parts_may_be_of_parameters_of_ones_own(fhir: httpx.Client) -> None:
    ward, code = uuid.uuid4().hex, fresh("ward")
    expression = f"Patient.extension('{EXTENSION}').value.as(Coding)"
    part = {"definition": f"http://hospital.example/SearchParameter/{code}", "expression": expression[8:]}
    joined = composite(fresh("warded"), "Patient", part, GENDER)
    refused = fhir.post("/SearchParameter", json=joined)
    assert refused.status_code == 422
    assert issue(refused) == (
        "There is no such search parameter here: store it first, or name one of R4's.",
        "SearchParameter.component[0].definition",
    )
    defining = made(fhir, parameter(code, expression))
    found = patient(fhir, ward, gender="male")
    patient(fhir, ward, gender="female")
    made(fhir, joined)
    assert hits(fhir, f"/Patient?{joined['code']}={ward}$male") == [found]
    assert fhir.delete(f"/SearchParameter/{defining}").status_code in (200, 204)
    assert hits(fhir, f"/Patient?{joined['code']}=urn:wards|{ward}$male") == [found]


def test_one_for_several_types_is_served_for_each(fhir: httpx.Client) -> None:
    tag = uuid.uuid4().hex
    meta = {"tag": [{"system": "urn:origin", "code": tag}, {"system": "urn:other", "code": tag + "x"}]}
    ids = {
        name: fhir.post(f"/{name}", json={"resourceType": name, "meta": meta}).json()["id"]
        for name in ("Patient", "Practitioner", "Organization")
        if name != "Organization"
    }
    code = fresh("origin")
    expression = "Resource.meta.tag.where(system = 'urn:origin')"
    own = made(fhir, parameter(code, expression, base=["Patient", "Practitioner"]))
    assert status(fhir, own)["base"] == ["Patient", "Practitioner"]
    for name, found in ids.items():
        assert hits(fhir, f"/{name}?{code}={tag}") == [found]
        assert hits(fhir, f"/{name}?{code}={tag}x") == []
    assert fhir.get(f"/Organization?{code}={tag}").status_code == 400


def test_until_it_is_active_a_query_is_refused_with_how_far_it_is(fhir: httpx.Client) -> None:
    patient(fhir, "x")
    code = fresh("floor")
    own = fhir.post("/SearchParameter", json=parameter(code, f"Patient.extension('{EXTENSION}').value.as(Coding)"))
    answer = fhir.get(f"/Patient?{code}=1")
    text, _ = issue(answer)
    assert answer.status_code == 400
    assert f"SearchParameter/{own.json()['id']} is being built, " in text
    assert settled(fhir, own.json()["id"])["state"] == "active"
    assert fhir.get(f"/Patient?{code}=1").status_code == 200


def test_a_deleted_one_is_gone_at_once_and_its_rows_follow(fhir: httpx.Client, store: asyncpg.Connection) -> None:
    ward = uuid.uuid4().hex
    patient(fhir, ward)
    code = fresh("gone")
    own = made(fhir, parameter(code, f"Patient.extension('{EXTENSION}').value.as(Coding)"))
    assert len(hits(fhir, f"/Patient?{code}={ward}")) == 1
    assert fhir.delete(f"/SearchParameter/{own}").status_code == 204
    answer = fhir.get(f"/Patient?{code}={ward}")
    assert answer.status_code == 400
    assert "no search parameter" in issue(answer)[0]
    assert fhir.get(f"/SearchParameter/{own}/$status").status_code == 410


@pytest.fixture
async def store(served: Served) -> Any:
    """A connection to the store."""
    conn = await asyncpg.connect(served.ecluse("dsn").strip())
    yield conn
    await conn.close()


async def test_no_row_is_left_of_what_is_gone(fhir: httpx.Client, store: asyncpg.Connection) -> None:
    patient(fhir, uuid.uuid4().hex)
    code = fresh("swept")
    own = made(fhir, parameter(code, f"Patient.extension('{EXTENSION}').value.as(Coding)"))
    paths = "SELECT number FROM fhir.parameter_path q JOIN fhir.parameter p ON p.pk = q.parameter WHERE p.code = $1"
    numbers = [row[0] for row in await store.fetch(paths, code)]
    count = "SELECT count(*) FROM fhir.token WHERE path = ANY ($1::smallint[])"
    assert await store.fetchval(count, numbers) > 0
    retired = parameter(code, f"Patient.extension('{EXTENSION}').value.as(Coding)", id=own, status="retired")
    assert fhir.put(f"/SearchParameter/{own}", json=retired).status_code == 200
    assert fhir.get(f"/Patient?{code}=1").status_code == 400
    deadline = time.monotonic() + 30
    while await store.fetchval("SELECT EXISTS (SELECT FROM fhir.parameter WHERE code = $1)", code):
        assert time.monotonic() < deadline
        time.sleep(0.05)
    assert await store.fetch(paths, code) == []
    assert await store.fetchval(count, numbers) == 0
    assert status(fhir, own)["state"] == "unused"


def test_an_update_is_another_parameter_under_the_same_code(fhir: httpx.Client) -> None:
    ward = uuid.uuid4().hex
    coded = {"url": EXTENSION, "valueCoding": {"system": "urn:wards", "code": ward}}
    other = {"url": EXTENSION + "2", "valueCoding": {"system": "urn:wards", "code": ward + "2"}}
    own = fhir.post("/Patient", json={"resourceType": "Patient", "extension": [coded, other]}).json()["id"]
    code = fresh("changed")
    first = made(fhir, parameter(code, f"Patient.extension('{EXTENSION}').value.as(Coding)"))
    changed = parameter(code, f"Patient.extension('{EXTENSION}2').value.as(Coding)", id=first)
    assert fhir.put(f"/SearchParameter/{first}", json=changed).status_code == 200
    assert settled(fhir, first)["state"] == "active"
    assert hits(fhir, f"/Patient?{code}={ward}2") == [own]
    assert hits(fhir, f"/Patient?{code}={ward}") == []
    worded = {**changed, "description": "In other words"}
    assert fhir.put(f"/SearchParameter/{first}", json=worded).status_code == 200
    assert status(fhir, first)["state"] == "active"


def test_it_is_served_at_its_own_site_only(fhir: httpx.Client, other_site: httpx.Client) -> None:
    code = fresh("site")
    made(fhir, parameter(code, f"Patient.extension('{EXTENSION}').value.as(Coding)"))
    assert fhir.get(f"/Patient?{code}=1").status_code == 200
    assert other_site.get(f"/Patient?{code}=1").status_code == 400
    made(other_site, parameter(code, f"Patient.extension('{EXTENSION}').value.as(Coding)"))
    assert other_site.get(f"/Patient?{code}=1").status_code == 200


def test_conditions_exports_and_the_capabilities_know_it(fhir: httpx.Client) -> None:
    ward = uuid.uuid4().hex
    own = patient(fhir, ward)
    code = fresh("used")
    resource = parameter(code, f"Patient.extension('{EXTENSION}').value.as(Coding)")
    made(fhir, resource)
    again = fhir.post("/Patient", json={"resourceType": "Patient"}, headers={"If-None-Exist": f"{code}={ward}"})
    assert (again.status_code, again.json()["id"]) == (200, own)
    asked = {"Prefer": "respond-async"}
    export = fhir.get(f"/$export?_type=Patient&_typeFilter=Patient%3F{code}%3D{ward}", headers=asked)
    assert export.status_code == 202, export.text
    rest = fhir.get("/metadata").json()["rest"][0]["resource"]
    (listed,) = (one for one in rest if one["type"] == "Patient")
    entry = {"name": code, "definition": resource["url"], "type": "token"}
    assert entry in listed["searchParam"]
    body = {
        "resourceType": "Patient",
        "id": own,
        "active": True,
        "extension": [{"url": "urn:none", "valueString": "x"}],
    }
    assert fhir.put(f"/Patient?{code}={ward}", json=body).json()["active"] is True
    assert fhir.delete(f"/Patient?{code}={ward}").status_code == 204
    assert fhir.get(f"/Patient/{own}").status_code == 200


def test_lenient_handling_leaves_out_only_what_is_not_there(fhir: httpx.Client) -> None:
    ward = uuid.uuid4().hex
    own = patient(fhir, ward)
    code = fresh("lenient")
    made(fhir, parameter(code, f"Patient.extension('{EXTENSION}').value.as(Coding)"))
    answer = fhir.get(f"/Patient?{code}={ward}&nothing=1", headers={"Prefer": "handling=lenient"}).json()
    assert [entry["resource"]["id"] for entry in answer["entry"] if entry["search"]["mode"] == "match"] == [own]


@pytest.mark.parametrize(
    ("members", "place", "text"),
    [
        ({"code": "family", "type": "string", "expression": "Patient.contact.name.family"}, "code", "FHIR R4 has"),
        ({"code": "_own"}, "code", "FHIR's"),
        ({"type": "composite"}, "component", "Write the parts of the composite"),
        ({"type": "special"}, "type", "special parameters cannot be made"),
        ({"expression": "Patient.birthDate"}, "expression", "It leads to date in Patient"),
        ({"expression": "Patient.nothing"}, "expression", "no element is there"),
        ({"expression": "Patient.name.first("}, "expression", "FHIRPath"),
        ({"expression": "Patient.name.upperCase()"}, "expression", "no function upperCase()"),
        ({"expression": "Patient.birthDate < today()"}, "expression", "today() cannot be indexed"),
        ({"expression": "Patient.managingOrganization.resolve().active"}, "expression", "resolve() cannot be indexed"),
        (
            {"expression": "Patient.active", "base": ["Patient", "Practitioner"]},
            "expression",
            "nothing of Practitioner",
        ),
        ({"expression": None}, "expression", "Write the FHIRPath"),
        (
            {
                "extension": [{"url": "urn:ecluse:StructureDefinition:unique", "valueBoolean": True}],
                "type": "string",
                "expression": "Patient.name.family",
            },
            "extension",
            "Only token parameters",
        ),
    ],
)
def test_what_cannot_be_served_is_refused_with_its_place(
    fhir: httpx.Client, members: dict[str, Any], place: str, text: str
) -> None:
    resource = parameter(fresh("refused"), "Patient.active") | members
    resource = {name: value for name, value in resource.items() if value is not None}
    answer = fhir.post("/SearchParameter", json=resource)
    assert answer.status_code == 422, answer.text
    found, where = issue(answer)
    assert text in found
    assert where == f"SearchParameter.{place}"
    draft = fhir.post("/SearchParameter", json={**resource, "status": "draft"})
    assert draft.status_code == 201
    assert status(fhir, draft.json()["id"]) == {"state": "unused", "reason": "Its status is not active."}


def test_a_code_is_taken_once_and_r4s_own_need_nothing(fhir: httpx.Client) -> None:
    code = fresh("twice")
    made(fhir, parameter(code, f"Patient.extension('{EXTENSION}').value.as(Coding)"))
    answer = fhir.post("/SearchParameter", json=parameter(code, "Patient.active"))
    assert answer.status_code == 422
    assert "take another code" in issue(answer)[0]
    same = parameter("active", "Patient.active", url="http://hl7.org/fhir/SearchParameter/Patient-active")
    own = fhir.post("/SearchParameter", json=same)
    assert own.status_code == 201, own.text
    assert "R4 has the same" in status(fhir, own.json()["id"])["reason"]


def test_an_expression_that_fails_on_a_resource_fails_and_names_it(fhir: httpx.Client) -> None:
    body = {"resourceType": "Person", "name": [{"family": "a"}, {"family": "b"}]}
    person = fhir.post("/Person", json=body).json()["id"]
    code = fresh("broken")
    resource = parameter(code, "Person.name.family.upper()", base=["Person"], type="string")
    own = fhir.post("/SearchParameter", json=resource).json()["id"]
    found = settled(fhir, own)
    assert found["state"] == "failed"
    assert f"Person/{person}" in found["reason"]
    answer = fhir.get(f"/Person?{code}=a")
    assert answer.status_code == 400
    assert "cannot be served" in issue(answer)[0]


def test_a_transaction_that_is_refused_leaves_no_parameter(fhir: httpx.Client) -> None:
    code = fresh("undone")
    entries = [
        {"resource": parameter(code, "Patient.active"), "request": {"method": "POST", "url": "SearchParameter"}},
        {"resource": parameter("name", "Patient.active"), "request": {"method": "POST", "url": "SearchParameter"}},
    ]
    answer = fhir.post("", json={"resourceType": "Bundle", "type": "transaction", "entry": entries})
    assert answer.status_code == 422
    assert issue(answer)[1].startswith("Bundle.entry[1]")
    assert "no search parameter" in issue(fhir.get(f"/Patient?{code}=true"))[0]


def test_reindex_keeps_its_rows_and_puts_them_right(fhir: httpx.Client) -> None:
    ward = uuid.uuid4().hex
    own = patient(fhir, ward)
    code = fresh("reindexed")
    made(fhir, parameter(code, f"Patient.extension('{EXTENSION}').value.as(Coding)"))
    answer = fhir.post(f"/Patient/{own}/$reindex")
    assert "were right" in answer.json()["issue"][0]["details"]["text"]
    assert hits(fhir, f"/Patient?{code}={ward}") == [own]


async def test_reindex_brings_back_what_was_lost(fhir: httpx.Client, store: asyncpg.Connection) -> None:
    ward = uuid.uuid4().hex
    own = patient(fhir, ward)
    code = fresh("lost")
    made(fhir, parameter(code, f"Patient.extension('{EXTENSION}').value.as(Coding)"))
    await store.execute("DELETE FROM fhir.token WHERE code = $1", ward)
    assert hits(fhir, f"/Patient?{code}={ward}") == []
    assert "put right" in fhir.post(f"/Patient/{own}/$reindex").json()["issue"][0]["details"]["text"]
    assert hits(fhir, f"/Patient?{code}={ward}") == [own]


def test_an_erased_one_is_gone_too(fhir: httpx.Client) -> None:
    code = fresh("erased")
    own = made(fhir, parameter(code, f"Patient.extension('{EXTENSION}').value.as(Coding)"))
    assert fhir.post(f"/SearchParameter/{own}/$purge").status_code == 200
    assert fhir.get(f"/Patient?{code}=1").status_code == 400


async def test_an_erased_resource_leaves_no_row(fhir: httpx.Client, store: asyncpg.Connection) -> None:
    ward = uuid.uuid4().hex
    own = patient(fhir, ward)
    code = fresh("purged")
    made(fhir, parameter(code, f"Patient.extension('{EXTENSION}').value.as(Coding)"))
    assert fhir.post(f"/Patient/{own}/$purge").status_code == 200
    assert await store.fetchval("SELECT count(*) FROM fhir.token WHERE code = $1", ward) == 0


def test_all_of_a_site_are_listed_with_their_states(fhir: httpx.Client, served: Served) -> None:
    code = fresh("listed")
    made(fhir, parameter(code, f"Patient.extension('{EXTENSION}').value.as(Coding)"))
    every = [told(one["part"]) for one in fhir.get("/SearchParameter/$status").json()["parameter"]]
    assert [one["state"] for one in every if one["code"] == code] == ["active"]
    stored = {one["code"]: one for one in json.loads(served.ecluse("status", "--json"))["search_parameters"]}
    assert stored[code].items() >= {"site": "default", "state": "active", "base": ["Patient"], "reason": ""}.items()
    table = served.ecluse("status").partition("made at run time")[2]
    assert "active" in table and "Patient:" in table


def words_of(code: str, *types: str) -> dict[str, Any]:
    """R4's own definition, for some types."""
    name = {"_text": "DomainResource-text", "_content": "Resource-content"}[code]
    url = f"http://hl7.org/fhir/SearchParameter/{name}"
    said = {"name": code, "status": "active", "description": "words", "code": code, "type": "string"}
    return {"resourceType": "SearchParameter", "url": url, "base": list(types), **said}


def test_words_of_narratives_and_of_everything_are_found_where_a_site_asks_for_them(fhir: httpx.Client) -> None:
    told_apart = "zz" + uuid.uuid4().hex[:8]

    def basic(narrative: str, code: str) -> str:
        div = f'<div xmlns="http://www.w3.org/1999/xhtml"><p>{narrative} {told_apart}</p></div>'
        resource = {"resourceType": "Basic", "text": {"status": "generated", "div": div}, "code": {"text": code}}
        own: str = fhir.post("/Basic", json=resource).json()["id"]
        return own

    refused = fhir.get("/Basic", params={"_text": told_apart})
    assert refused.status_code == 400 and "DomainResource-text" in issue(refused)[0]
    bone, liver = basic("Métastases <b>osseuses</b>", "os"), basic("métastases hépatiques", "foie")
    narrative = made(fhir, words_of("_text", "Basic"))
    content = made(fhir, words_of("_content", "Basic", "Bundle"))
    both = basic("METASTASES osseuses et hépatiques", "OS, foie")

    def found(**asked: str) -> list[str]:
        ((name, text),) = asked.items()
        query = str(httpx.QueryParams({name: f"{told_apart} ({text})"}))
        answers = [hits(fhir, f"/Basic?{query}&_count={count}") for count in (1, 50)]
        assert answers[0] == answers[1]
        return answers[1]

    assert found(_text="metastases") == [bone, liver, both]
    assert found(_text="osseuses hépat*") == [both]
    assert found(_text="osseuses OR hepatiques") == [bone, liver, both]
    assert found(_text="metastases NOT hepatiques") == [bone]
    assert found(_text="foie") == []
    assert found(_content="foie") == [liver, both]
    assert hits(fhir, f"/Basic?_content={told_apart}&_text=osseuses,nothing&code:text=os") == [bone, both]
    gone = {"resourceType": "Basic", "id": bone, "code": {"text": "os"}}
    assert fhir.put(f"/Basic/{bone}", json=gone).status_code == 200
    assert fhir.delete(f"/Basic/{liver}").status_code == 204
    assert found(_text="metastases") == [both]
    phrase = fhir.get("/Basic", params={"_text": '"os seuses"'})
    assert (phrase.status_code, "phrases are not served" in issue(phrase)[0]) == (400, True)
    assert fhir.get("/Basic", params={"_text:exact": "os"}).status_code == 400
    assert fhir.get("/Basic", params={"_sort": "_text"}).status_code == 400
    assert fhir.get("/Basic", params={"_filter": "_text co metastases"}).status_code == 400
    assert hits(fhir, f"/Basic?_filter=_text pr true&_text=metastases {told_apart}") == [both]
    for own in (narrative, content):
        assert fhir.delete(f"/SearchParameter/{own}").status_code == 204
    assert fhir.get("/Basic", params={"_content": told_apart}).status_code == 400


def test_words_are_asked_for_as_r4_defines_them(fhir: httpx.Client) -> None:
    wrong = {**words_of("_text", "Basic"), "type": "token", "expression": "Basic.code"}
    answer = fhir.post("/SearchParameter", json=wrong)
    assert answer.status_code == 422
    places = [one["expression"] for one in answer.json()["issue"]]
    assert places == [["SearchParameter.type"], ["SearchParameter.expression"]]
    answer = fhir.post("/SearchParameter", json=words_of("_text", "Bundle"))
    assert (answer.status_code, issue(answer)[1]) == (422, "SearchParameter.base")

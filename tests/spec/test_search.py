"""http://hl7.org/fhir/R4/search.html, as far as it is served."""

from __future__ import annotations

import uuid
from typing import Any

import httpx
import pytest

from tests.spec.search import hits


@pytest.fixture(scope="module")
def world(fhir: httpx.Client) -> dict[str, str]:
    """Three patients and their observations, under a family name that nobody else has."""
    family = "Zœlner" + uuid.uuid4().hex[:8]
    ids: dict[str, str] = {"family": family}
    people: tuple[dict[str, Any], ...] = (
        {"name": [{"family": family, "given": ["Éloïse"]}], "birthDate": "1956-03-02", "gender": "female"},
        {"name": [{"family": family, "given": ["Jean"]}], "birthDate": "1956", "gender": "male"},
        {"name": [{"family": family, "given": ["Zoé"]}], "birthDate": "1990-12", "gender": "female"},
    )
    for number, person in enumerate(people):
        ids[f"p{number}"] = fhir.post("/Patient", json={"resourceType": "Patient", **person}).json()["id"]
    for number, (patient, code, date) in enumerate(
        (("p0", "a", "2020-01-01"), ("p0", "b", "2020-02-01T10:00:00Z"), ("p1", "a", "2021"))
    ):
        coding = [{"system": f"urn:{family}", "code": code}]
        body = {"resourceType": "Observation", "status": "final", "code": {"coding": coding}, "effectiveDateTime": date}
        body["subject"] = {"reference": f"Patient/{ids[patient]}"}
        ids[f"o{number}"] = fhir.post("/Observation", json=body).json()["id"]
    named = [f"Patient/{ids['p0']}", f"Patient/{ids['p2']}", f"Observation/{ids['o1']}"]
    entries = [{"item": {"reference": reference}} for reference in named]
    body = {"resourceType": "List", "status": "current", "mode": "working", "entry": entries}
    ids["list"] = fhir.post("/List", json=body).json()["id"]
    return ids


CASES = {
    "Patient?family={family}": "p0 p1 p2",
    "Patient?family={family}&given=eloise": "p0",
    "Patient?name={family}&gender=female": "p0 p2",
    "Patient?name={family}&gender=female,male": "p0 p1 p2",
    "Patient?family={family}&birthdate=1956-03-02": "p0",
    "Patient?family={family}&birthdate=1956": "p0 p1",
    "Patient?family={family}&birthdate=gt1960": "p2",
    "Patient?family={family}&birthdate=lt1957&birthdate=ge1956-03": "p0 p1",
    "Patient?family={family}&birthdate=ne1956": "p2",
    "Patient?family={family}&birthdate=sa1956-12-31": "p2",
    "Patient?family={family}&birthdate=eb1990": "p0 p1",
    "Patient?_id={p0},{p2}": "p0 p2",
    "Patient?_id={p0}&family={family}": "p0",
    "Observation?code=urn:{family}|a": "o0 o2",
    "Observation?code=urn:{family}|a,urn:{family}|b": "o0 o1 o2",
    "Observation?code=urn:{family}|": "o0 o1 o2",
    "Observation?patient={p0}": "o0 o1",
    "Observation?patient=Patient/{p0}": "o0 o1",
    "Observation?subject=Patient/{p0},Patient/{p1}": "o0 o1 o2",
    "Observation?patient={p0}&code=urn:{family}|b": "o1",
    "Observation?code=urn:{family}|a&date=2021": "o2",
    "Observation?combo-code=urn:{family}|a": "o0 o2",
    "Observation?patient={p0}&date=ge2020-02-01": "o1",
    "Observation?patient={p0}&status=final": "o0 o1",
    "Observation?patient={p0}&_lastUpdated=gt2020": "o0 o1",
    "Observation?patient={p0}&_lastUpdated=lt2020": "",
    "Patient?family:exact={family}&given:exact=Zoé": "p2",
    "Patient?family:exact={family}&given:exact=zoe": "",
    "Patient?family={family}&given:contains=o": "p0 p2",
    "Patient?family={family}&gender:not=male": "p0 p2",
    "Patient?family={family}&gender:not=male,female": "",
    "Patient?family={family}&identifier:missing=true": "p0 p1 p2",
    "Patient?family={family}&birthdate:missing=true": "",
    "Patient?family={family}&birthdate:missing=false": "p0 p1 p2",
    "Patient?family={family}&gender:in=http://hl7.org/fhir/ValueSet/administrative-gender": "p0 p1 p2",
    "Patient?family={family}&gender:not-in=http://hl7.org/fhir/ValueSet/administrative-gender": "",
    "Patient?family={family}&gender:below=http://hl7.org/fhir/administrative-gender|male": "p1",
    "Observation?subject:Patient={p0}&code=urn:{family}|": "o0 o1",
    "Observation?subject:Group={p0}&code=urn:{family}|": "",
    "Observation?subject:Patient.family={family}": "o0 o1 o2",
    "Observation?patient.family={family}&code=urn:{family}|a": "o0 o2",
    "Observation?subject.family={family}&date=2021": "o2",
    "Observation?patient.birthdate=1956&patient.gender=male&code=urn:{family}|": "o2",
    "Observation?patient.given:exact=Éloïse&code=urn:{family}|": "o0 o1",
    "Observation?patient.gender:not=male&code=urn:{family}|": "o0 o1",
    "Observation?patient._id={p1}&code=urn:{family}|": "o2",
    "Patient?_has:Observation:patient:code=urn:{family}|a": "p0 p1",
    "Patient?_has:Observation:patient:code=urn:{family}|b": "p0",
    "Patient?_has:Observation:patient:date=2021&_has:Observation:patient:code=urn:{family}|a": "p1",
    "Patient?_has:Observation:patient:code:not=urn:{family}|b&family={family}": "p0 p1",
    "Patient?_has:Observation:patient:patient.family={family}": "p0 p1",
    "Patient?_has:Observation:patient:_id={o1}": "p0",
    "Observation?patient._has:Observation:patient:code=urn:{family}|b&code=urn:{family}|": "o0 o1",
    'Patient?_filter=family eq "{family}" and given eq "eloise"': "p0",
    'Patient?_filter=family eq "{family}" and given ne "eloise"': "p1 p2",
    'Patient?_filter=family sw "{family}" and (given co "ean" or birthdate ge 1990)': "p1 p2",
    'Patient?_filter=family eq "{family}" and not (gender eq male)': "p0 p2",
    'Patient?_filter=family eq "{family}" and identifier pr true': "",
    'Patient?_filter=family eq "{family}" and identifier pr false and birthdate po 1956-03': "p0 p1",
    'Observation?_filter=subject:Patient.family eq "{family}" and date ge 2020-02': "o1 o2",
    'Observation?_filter=code eq "urn:{family}|a" and subject re Patient/{p1}': "o2",
    'Patient?_filter=given ew "oe" and family eq "{family}"': "p2",
    'Patient?_filter=given eq "eloise" or gender eq male and birthdate ge 1990 and family eq "{family}"': "",
    'Patient?_filter=family eq "{family}" and birthdate ge 1990 or given eq "eloise" and family eq "{family}"': "p0 p2",
    "Patient?_list={list}": "p0 p2",
    "Observation?_list={list}": "o1",
    "Patient?_list=nobody": "",
}


@pytest.mark.parametrize("case", CASES)
@pytest.mark.parametrize("count", [1, 7, 1000])
def test_a_search_finds_what_matches_whatever_the_page_size(
    fhir: httpx.Client, world: dict[str, str], case: str, count: int
) -> None:
    found = hits(fhir, "/" + case.format(**world) + f"&_count={count}")
    assert sorted(found) == sorted(world[name] for name in CASES[case].split())
    assert len(found) == len(set(found))


def test_a_filter_may_name_code_systems_as_the_specification_does(fhir: httpx.Client) -> None:
    code = uuid.uuid4().hex
    body = {
        "resourceType": "Observation",
        "status": "final",
        "code": {"coding": [{"system": "http://loinc.org", "code": code}]},
        "valueQuantity": {"value": 5, "system": "http://unitsofmeasure.org", "code": "mg"},
    }
    own = fhir.post("/Observation", json=body).json()["id"]
    assert hits(fhir, f"/Observation?_filter=code eq loinc|{code} and value-quantity lt 1|ucum|g") == [own]
    assert hits(fhir, f"/Observation?_filter=code eq snomed|{code}") == []


def test_versions_of_a_canonical_address_are_below_it(fhir: httpx.Client) -> None:
    url = f"http://acme.test/{uuid.uuid4()}"
    ids: dict[str, str] = {}
    for version in ("", "|1.0", "|1.1", "|10", "|2.0"):
        body = {
            "resourceType": "QuestionnaireResponse",
            "meta": {"profile": [f"{url}{version}"]},
            "status": "completed",
            "questionnaire": f"{url}{version}",
        }
        ids[version] = fhir.post("/QuestionnaireResponse", json=body).json()["id"]
    for asked in ("questionnaire:below", "_profile:below"):
        search = f"/QuestionnaireResponse?{asked}={url}"
        assert hits(fhir, search) == list(ids.values())
        assert hits(fhir, f"{search}|1") == [ids["|1.0"], ids["|1.1"]]
        assert hits(fhir, f"{search}|1.1") == [ids["|1.1"]]


def test_a_url_may_be_asked_for_with_its_version(fhir: httpx.Client) -> None:
    url = f"http://acme.test/{uuid.uuid4()}"
    body = {"resourceType": "ValueSet", "status": "draft", "url": url}
    first, second, other = (
        fhir.post("/ValueSet", json={**body, **more}).json()["id"]
        for more in ({"version": "1,0"}, {"version": "2"}, {"url": f"{url}/other"})
    )
    assert hits(fhir, f"/ValueSet?url={url}") == [first, second]
    assert hits(fhir, f"/ValueSet?url={url}|2") == [second]
    assert hits(fhir, f"/ValueSet?url={url}|1\\,0,{url}/other") == [first, other]
    assert hits(fhir, f"/ValueSet?url={url}|3,{url}\\|2") == []


def test_case_counts_unless_the_code_system_says_otherwise(fhir: httpx.Client) -> None:
    url = f"http://acme.test/{uuid.uuid4()}"
    ids: dict[str, str] = {}
    for code in ("E11.9a", "e11.9A", "e11.9b", "E11.9", "E11.9İ"):
        coding = {"system": url, "code": code}
        body = {"resourceType": "Observation", "status": "final", "code": {"coding": [coding]}}
        ids[code] = fhir.post("/Observation", json=body).json()["id"]

    def found(asked: str) -> list[str]:
        known = {own: code for code, own in ids.items()}
        return [known[own] for own in hits(fhir, f"/Observation?{asked}")]

    exact = f"code={url}|e11.9A"
    assert found(exact) == ["e11.9A"]
    system = {"resourceType": "CodeSystem", "url": url, "status": "active", "content": "not-present"}
    own = fhir.post("/CodeSystem", json=system).json()["id"]
    assert found(exact) == ["e11.9A"]
    loose = {**system, "id": own, "caseSensitive": False}
    assert fhir.put(f"/CodeSystem/{own}", json=loose).status_code == 200
    assert found(exact) == found(f"code={url}|E11.9A") == ["E11.9a", "e11.9A"]
    assert found(f"code={url}|e11.9") == ["E11.9"]
    assert found(f"code={url}|e11.9i") == []
    assert found(f"code={url}|&code:not={url}|e11.9a,{url}|E11.9B") == ["E11.9", "E11.9İ"]
    assert found(f"code={url}|&_filter=code ne {url}|e11.9a") == ["e11.9b", "E11.9", "E11.9İ"]
    assert found(f"combo-code={exact.partition('=')[2]}") == ["E11.9a", "e11.9A"]
    assert found("code=e11.9A") == ["e11.9A"]
    assert fhir.delete(f"/CodeSystem/{own}").status_code in (200, 204)
    assert found(exact) == ["e11.9A"]


def test_a_conditional_write_finds_a_code_in_any_case(fhir: httpx.Client) -> None:
    url = f"http://acme.test/{uuid.uuid4()}"
    system = {"resourceType": "CodeSystem", "url": url, "status": "active", "content": "not-present"}
    fhir.post("/CodeSystem", json={**system, "caseSensitive": False})
    coding = {"system": url, "code": "Ab"}
    body = {"resourceType": "Observation", "status": "final", "code": {"coding": [coding]}}
    own = fhir.post("/Observation", json=body).json()["id"]
    request = {"method": "POST", "url": "Observation", "ifNoneExist": f"code={url}|aB"}
    entry = {"resource": body, "request": request}
    answer = fhir.post("", json={"resourceType": "Bundle", "type": "transaction", "entry": [entry]})
    assert answer.status_code == 200, answer.text
    assert answer.json()["entry"][0]["response"]["status"].startswith("200")
    assert hits(fhir, f"/Observation?code={url}|AB") == [own]


def test_a_media_type_is_above_those_with_parameters(fhir: httpx.Client) -> None:
    kind = f"text/x{uuid.uuid4().hex}"
    ids = [
        fhir.post(
            "/DocumentReference",
            json={
                "resourceType": "DocumentReference",
                "status": "current",
                "content": [{"attachment": {"contentType": f"{kind}{more}"}}],
            },
        ).json()["id"]
        for more in ("", ";charset=UTF-8", " ; v=1", "+xml")
    ]
    assert hits(fhir, f"/DocumentReference?contenttype:below={kind}") == ids[:3]
    assert hits(fhir, f"/DocumentReference?contenttype={kind}") == ids[:1]


def test_an_identifier_is_not_looked_for_beside_a_canonical_address(fhir: httpx.Client) -> None:
    for query in ("questionnaire:identifier=x", "_filter=questionnaire identifier x"):
        answer = fhir.get(f"/QuestionnaireResponse?{query}")
        assert answer.status_code == 400
        assert "canonical" in answer.json()["issue"][0]["details"]["text"]


@pytest.fixture(scope="module")
def forms(fhir: httpx.Client) -> dict[str, str]:
    """Three versions of a questionnaire, one of another address, and responses to them, by what they name."""
    url = f"http://acme.test/{uuid.uuid4()}"
    ids: dict[str, str] = {"url": url}
    for name, more in {
        "one": {"version": "1"},
        "two": {"version": "2-Rc"},
        "none": {},
        "other": {"url": f"{url}-2"},
    }.items():
        body = {"resourceType": "Questionnaire", "status": "active", "url": url, "title": f"{name} {url[17:]}", **more}
        ids[name] = fhir.post("/Questionnaire", json=body).json()["id"]
    for name in ("", "|1", "|2-Rc", "|3", "-2"):
        body = {"resourceType": "QuestionnaireResponse", "status": "completed", "questionnaire": f"{url}{name}"}
        ids[f"to{name}"] = fhir.post("/QuestionnaireResponse", json=body).json()["id"]
    return ids


@pytest.mark.parametrize(
    ("title", "found"),
    [
        ("one", ["to", "to|1"]),
        ("two", ["to", "to|2-Rc"]),
        ("none", ["to"]),
        ("other", ["to-2"]),
        ("nothing", []),
    ],
)
def test_a_chain_follows_a_canonical_address_to_its_version(
    fhir: httpx.Client, forms: dict[str, str], title: str, found: list[str]
) -> None:
    expected = [forms[name] for name in found]
    asked = f"{title} {forms['url'][17:]}"
    for name in ("questionnaire", "questionnaire:Questionnaire"):
        search = f"/QuestionnaireResponse?{name}.title={asked}"
        assert hits(fhir, search) == expected
        assert hits(fhir, f"{search}&status=completed&_sort=-_lastUpdated") == expected[::-1]
        assert len(fhir.get(f"{search}&_count=1").json()["entry"] if found else []) == len(found[:1])
        assert fhir.get(f"{search}&_summary=count").json()["total"] == len(found)
    negated = [forms[name] for name in forms if name.startswith("to") and name not in found]
    among = ",".join(forms[name] for name in forms if name.startswith("to"))
    search = f'/QuestionnaireResponse?_id={among}&_filter=not (questionnaire.title eq "{asked}")'
    assert sorted(hits(fhir, search)) == sorted(negated)


def test_what_a_canonical_address_leads_to_is_found_backwards(fhir: httpx.Client, forms: dict[str, str]) -> None:
    reverse = "/Questionnaire?_has:QuestionnaireResponse:questionnaire:_id="
    for name, found in {
        "to": ["one", "two", "none"],
        "to|1": ["one"],
        "to|2-Rc": ["two"],
        "to|3": [],
        "to-2": ["other"],
    }.items():
        assert hits(fhir, f"{reverse}{forms[name]}") == [forms[one] for one in found]
        titled = f"{reverse}{forms[name]}&title:contains={forms['url'][17:]}&_sort=-_lastUpdated"
        assert hits(fhir, titled) == [forms[one] for one in found][::-1]
    chained = f"_has:QuestionnaireResponse:questionnaire:questionnaire.title=one {forms['url'][17:]}"
    assert hits(fhir, f"/Questionnaire?{chained}") == [forms[one] for one in ("one", "two", "none")]
    url, responded = forms["url"], "_has:QuestionnaireResponse:questionnaire:status=completed"
    assert hits(fhir, f"/Questionnaire?{responded}&url={url}|2-Rc") == [forms["two"]]


def test_an_address_beside_its_version_says_nothing(fhir: httpx.Client, forms: dict[str, str]) -> None:
    body = {"resourceType": "ServiceRequest", "status": "active", "intent": "order", "subject": {"display": "x"}}
    plan = {"resourceType": "PlanDefinition", "status": "active", "url": f"{forms['url']}/plan"}
    first, second = (
        fhir.post("/PlanDefinition", json={**plan, "version": version}).json()["id"] for version in ("1", "2")
    )
    named = {"instantiatesCanonical": [plan["url"], f"{plan['url']}|1"]}
    own = fhir.post("/ServiceRequest", json=body | named).json()["id"]
    chain = "/ServiceRequest?instantiates-canonical:PlanDefinition._id"
    assert (hits(fhir, f"{chain}={first}"), hits(fhir, f"{chain}={second}")) == ([own], [])
    assert hits(fhir, f"/PlanDefinition?_has:ServiceRequest:instantiates-canonical:_id={own}") == [first]


def test_a_chain_over_addresses_that_a_type_has_not_is_refused(fhir: httpx.Client) -> None:
    answer = fhir.get("/Patient?_has:QuestionnaireResponse:questionnaire:status=completed")
    assert answer.status_code == 400
    assert "does not point to Patient" in answer.json()["issue"][0]["details"]["text"]


def test_a_token_that_is_a_plain_string_is_compared_without_case(fhir: httpx.Client) -> None:
    lot = f"Lot-É{uuid.uuid4().hex}"
    body = {"resourceType": "Medication", "batch": {"lotNumber": lot}, "code": {"coding": [{"code": lot}]}}
    own = fhir.post("/Medication", json=body).json()["id"]
    for asked in (lot, lot.upper(), f"|{lot.lower()}"):
        assert hits(fhir, f"/Medication?lot-number={asked}") == [own]
    assert hits(fhir, f"/Medication?code={lot.upper()}") == []
    assert hits(fhir, f"/Medication?code={lot}&lot-number:not={lot.upper()}") == []


def test_a_search_by_form_answers_the_same(fhir: httpx.Client, world: dict[str, str]) -> None:
    answer = fhir.post("/Patient/_search", data={"family": world["family"], "_count": "2"})
    assert answer.status_code == 200
    assert len(answer.json()["entry"]) == 2


def test_a_form_without_a_body_needs_no_media_type(fhir: httpx.Client, world: dict[str, str]) -> None:
    answer = fhir.post(f"/Patient/_search?family={world['family']}")
    assert "content-type" not in answer.request.headers
    assert (answer.status_code, len(answer.json()["entry"])) == (200, 3)
    assert fhir.post(f"/Patient/_search?family={world['family']}", content=b"_count=1").status_code == 415


@pytest.mark.parametrize(
    "query",
    ["{own}&_tag=", "_tag&{own}", "{own}&_sort=&_count=&_include=", "_filter=&{own}&_tag:not=&", "&_tag=&&{own}&"],
)
def test_an_empty_parameter_is_no_error(fhir: httpx.Client, world: dict[str, str], query: str) -> None:
    own = f"_id={world['p0']}"
    for address in ("/Patient?", f"/Patient/{world['p0']}/Patient?", "/?_type=&_type=Patient&"):
        bundle = fhir.get(address + query.format(own=own)).json()
        assert [entry["resource"]["id"] for entry in bundle["entry"]] == [world["p0"]]
        assert next(link["url"] for link in bundle["link"] if link["relation"] == "self").endswith(own)


def test_a_condition_of_a_write_has_no_empty_parameter(fhir: httpx.Client, world: dict[str, str]) -> None:
    for condition in ("identifier=", f"_id={world['p0']}&given="):
        assert fhir.delete(f"/Patient?{condition}").status_code == 400
        body = {"resourceType": "Patient"}
        assert fhir.post("/Patient", json=body, headers={"If-None-Exist": condition}).status_code == 400


def test_a_count_has_a_total_and_no_entries(fhir: httpx.Client, world: dict[str, str]) -> None:
    bundle = fhir.get(f"/Patient?family={world['family']}&_summary=count").json()
    assert bundle["total"] == 3
    assert "entry" not in bundle


@pytest.mark.parametrize(
    "query",
    [
        "gendre=x",
        "birthdate=yesterday",
        "gender:nope=male",
        "name:exat=x",
        "_count=many",
        "gender:in=http://nowhere/ValueSet/x",
        "gender:in=ValueSet/nobody",
        "gender:below=http://hl7.org/fhir/administrative-gender|none",
        "gender:below=http://nowhere|x",
        "general-practitioner.nme=x",
        "_has:Observation:code=1",
        "_filter=given",
        '_filter=given eq "x',
        '_filter=(given eq "x"',
        "_filter=gender co male",
        "_filter=nme eq x",
        "_filter=link[type eq x].other eq y",
        "_filter=given:exact eq x",
        "_filter=" + "(" * 30,
        "_has:Observation:encounter:code=1",
    ],
)
def test_what_is_not_understood_answers_400_and_says_what_would_be(fhir: httpx.Client, query: str) -> None:
    answer = fhir.get(f"/Patient?{query}")
    assert answer.status_code == 400
    assert answer.json()["issue"][0]["details"]["text"]


def test_contained_resources_may_be_left_out_in_so_many_words(fhir: httpx.Client, world: dict[str, str]) -> None:
    for search in (f"/Patient?_id={world['p0']}", f"/?_type=Patient&_id={world['p0']}"):
        assert hits(fhir, f"{search}&_contained=false") == [world["p0"]]
        assert fhir.get(f"{search}&_contained=both").status_code == 400


def test_an_unknown_parameter_is_refused_with_the_nearest_name_first(fhir: httpx.Client) -> None:
    text = fhir.get("/Patient?gendre=x").json()["issue"][0]["details"]["text"]
    assert "gender" in text


@pytest.mark.parametrize("prefer", ["handling=lenient", 'return=minimal; Handling = "lenient"'])
def test_lenient_handling_ignores_and_says_so(fhir: httpx.Client, world: dict[str, str], prefer: str) -> None:
    bundle = fhir.get(f"/Patient?family={world['family']}&gendre=x", headers={"Prefer": prefer}).json()
    modes = [entry["search"]["mode"] for entry in bundle["entry"]]
    assert modes.count("match") == 3
    assert modes.count("outcome") == 1
    self_link = next(link["url"] for link in bundle["link"] if link["relation"] == "self")
    assert "gendre" not in self_link


@pytest.mark.parametrize("count", [1, 7])
def test_results_come_in_the_order_of_a_date_undated_ones_last(
    fhir: httpx.Client, world: dict[str, str], count: int
) -> None:
    undated = {
        "resourceType": "Observation",
        "status": "final",
        "code": {"coding": [{"system": f"urn:{world['family']}"}]},
    }
    body = {**undated, "code": {"coding": [{"system": f"urn:{world['family']}", "code": f"s{count}"}]}}
    ids = [
        fhir.post("/Observation", json={**body, "effectiveDateTime": day}).json()["id"]
        for day in ("2021", "2019-05", "2020")
    ]
    ids.append(fhir.post("/Observation", json=body).json()["id"])
    search = f"/Observation?code=urn:{world['family']}|s{count}&_count={count}"
    assert hits(fhir, f"{search}&_sort=date") == [ids[1], ids[2], ids[0], ids[3]]
    assert hits(fhir, f"{search}&_sort=-date") == [ids[0], ids[2], ids[1], ids[3]]


@pytest.mark.parametrize("count", [1, 2, 1000])
@pytest.mark.parametrize(
    ("order", "expected"),
    [
        ("birthdate", "p1 p0 p2"),
        ("-birthdate", "p2 p0 p1"),
        ("gender,-birthdate", "p2 p0 p1"),
        ("-gender,birthdate", "p1 p0 p2"),
        ("given", "p0 p1 p2"),
        ("-given", "p2 p1 p0"),
        ("general-practitioner,-given", "p2 p1 p0"),
        ("gender&_sort=-birthdate", "p2 p0 p1"),
        ("family,_lastUpdated", "p0 p1 p2"),
        ("-_lastUpdated", "p2 p1 p0"),
    ],
)
def test_results_come_in_the_order_of_any_parameters(
    fhir: httpx.Client, world: dict[str, str], order: str, expected: str, count: int
) -> None:
    found = hits(fhir, f"/Patient?family={world['family']}&_sort={order}&_count={count}")
    assert found == [world[name] for name in expected.split()]


def test_an_order_that_is_not_served_answers_400_with_those_that_are(fhir: httpx.Client) -> None:
    answer = fhir.get("/Observation?_sort=-dat")
    assert answer.status_code == 400
    assert " date," in answer.json()["issue"][0]["details"]["text"]


def test_an_identifier_counts_for_a_parameter_that_takes_what_the_reference_leads_to(fhir: httpx.Client) -> None:
    code = uuid.uuid4().hex
    ids = {}
    for name, subject in (
        ("patient", {"reference": "Patient/1"}),
        ("location", {"reference": "Location/1"}),
        ("elsewhere", {"reference": "http://elsewhere.test/x"}),
        ("alone", {}),
    ):
        body = {"resourceType": "Observation", "status": "final", "code": {"coding": [{"code": code}]}}
        body["subject"] = {**subject, "identifier": {"system": "urn:s", "value": code}}
        ids[fhir.post("/Observation", json=body).json()["id"]] = name

    def found(text: str) -> set[str]:
        return {ids[one] for one in hits(fhir, f"Observation?code={code}&{text}")}

    perhaps = {"patient", "elsewhere", "alone"}
    assert found("patient:missing=false") == perhaps
    assert found("patient:missing=true") == {"location"}
    assert found(f"patient:identifier=urn:s|{code}") == perhaps
    assert found(f"subject:identifier=urn:s|{code}") == {*perhaps, "location"}
    assert found("subject:missing=true") == set()

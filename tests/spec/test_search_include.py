"""http://hl7.org/fhir/R4/search.html#revinclude: what comes with the matches."""

from __future__ import annotations

import uuid
from collections.abc import Iterator
from typing import Any
from urllib.parse import parse_qs, urlsplit

import httpx
import pytest

from ecluse.related.follower import MOST
from tests.spec.search import hits


def create(fhir: httpx.Client, kind: str, **members: Any) -> str:
    """`Type/id` of a new resource."""
    answer = fhir.post(f"/{kind}", json={"resourceType": kind, **members})
    assert answer.status_code == 201, answer.text
    return f"{kind}/{answer.json()['id']}"


def refer(address: str) -> dict[str, str]:
    """A reference."""
    return {"reference": address}


@pytest.fixture(scope="module")
def world(fhir: httpx.Client) -> dict[str, str]:
    """Patients, where they were seen and what was observed, under a code that nothing else has."""
    code = "urn:" + uuid.uuid4().hex
    coding = {"coding": [{"system": code, "code": "x"}]}
    made = {"code": code, "group": create(fhir, "Organization", name="group")}
    made["ward"] = create(fhir, "Organization", name="ward", partOf=refer(made["group"]))
    made["bed"] = create(fhir, "Location", managingOrganization=refer(made["ward"]))
    made["p0"] = create(fhir, "Patient", managingOrganization=refer(made["ward"]))
    made["p1"] = create(fhir, "Patient")
    seen: dict[str, Any] = {"status": "finished", "class": {"code": "IMP"}}
    made["e0"] = create(
        fhir, "Encounter", **seen, subject=refer(made["p0"]), location=[{"location": refer(made["bed"])}]
    )
    observed: dict[str, Any] = {"status": "final", "code": coding}
    made["o0"] = create(fhir, "Observation", **observed, subject=refer(made["p0"]), encounter=refer(made["e0"]))
    made["o1"] = create(fhir, "Observation", **observed, subject=refer(made["p1"]), hasMember=[refer(made["o0"])])
    made["o2"] = create(fhir, "Observation", **observed, subject=refer(made["bed"]), hasMember=[refer(made["o1"])])
    made["c0"] = create(fhir, "Condition", code=coding, subject=refer(made["p0"]), encounter=refer(made["e0"]))
    return made


def pages(fhir: httpx.Client, url: str) -> Iterator[dict[str, Any]]:
    """The pages of a search."""
    while url:
        answer = fhir.get(url)
        assert answer.status_code == 200, answer.text
        bundle: dict[str, Any] = answer.json()
        yield bundle
        url = next((link["url"] for link in bundle["link"] if link["relation"] == "next"), "")


def included(bundle: dict[str, Any], mode: str = "include") -> list[str]:
    """`Type/id` of the entries of this mode, in their order."""
    found = [entry for entry in bundle.get("entry", ()) if entry["search"]["mode"] == mode]
    for entry in found:
        assert entry["fullUrl"].endswith(f"/{entry['resource']['resourceType']}/{entry['resource']['id']}")
    return [f"{entry['resource']['resourceType']}/{entry['resource']['id']}" for entry in found]


CASES = {
    "Observation?code={code}|x&_include=Observation:subject": "p0 p1 bed",
    "Observation?code={code}|x&_include=Observation:patient": "p0 p1",
    "Observation?code={code}|x&_include=Observation:subject:Patient": "p0 p1",
    "Observation?code={code}|x&_include=Observation:subject:Location": "bed",
    "Observation?code={code}|x&_include=Observation:subject:Group": "",
    "Observation?code={code}|x&_include=Observation:encounter&_include=Observation:subject": "e0 p0 p1 bed",
    "Observation?code={code}|x&_include=Observation:has-member": "",
    "Observation?code={code}|x&subject={p1}&_include=Observation:has-member": "o0",
    "Observation?code={code}|x&subject={bed}&_include=Observation:has-member": "o1",
    "Observation?code={code}|x&subject={bed}&_include:iterate=Observation:has-member": "o1 o0",
    "Observation?code={code}|x&subject={p0}&_include=*": "p0 e0",
    "Observation?code={code}|x&subject={p0}&_include=Observation:*": "p0 e0",
    "Observation?code={code}|x&subject={p0}&_include:iterate=*": "p0 e0 bed ward group",
    "Observation?code={code}|x&subject={p0}&_include=Observation:encounter"
    "&_include:iterate=Encounter:location": "e0 bed",
    "Observation?code={code}|x&subject={p0}&_include:iterate=Encounter:location": "",
    "Observation?code={code}|x&subject={p0}&_include=Observation:subject&_include:iterate=Organization:partof"
    "&_include:iterate=Patient:organization": "p0 ward group",
    "Patient?_id={p0.id}&_revinclude=Observation:subject": "o0",
    "Patient?_id={p0.id}&_revinclude=Observation:patient&_revinclude=Condition:patient": "o0 c0",
    "Patient?_id={p0.id}&_revinclude=Observation:subject:Patient": "o0",
    "Patient?_id={p0.id}&_revinclude=Observation:*": "o0",
    "Patient?_id={p0.id}&_revinclude=*": "o0 c0 e0",
    "Patient?_id={p0.id}&_revinclude=Encounter:patient&_include:iterate=Encounter:location": "e0 bed",
    "Patient?_id={p0.id}&_revinclude=Observation:patient&_revinclude:iterate=Observation:has-member": "o0 o1 o2",
    "Patient?_id={p0.id}&_include=Patient:organization&_revinclude=Condition:subject": "ward c0",
    "Organization?_id={group.id}&_revinclude:iterate=Organization:partof"
    "&_revinclude:iterate=Patient:organization": "ward p0",
    "Encounter?_id={e0.id}&_revinclude=Observation:encounter&_revinclude=Condition:encounter": "o0 c0",
}


@pytest.mark.parametrize("case", CASES)
def test_includes_bring_what_they_lead_to_once_after_the_matches(
    fhir: httpx.Client, world: dict[str, str], case: str
) -> None:
    names = {name: _Address(address) for name, address in world.items()}
    (bundle,) = pages(fhir, "/" + case.format(**names))
    modes = [entry["search"]["mode"] for entry in bundle["entry"]]
    assert modes == sorted(modes, key=["match", "include"].index)
    assert sorted(included(bundle)) == sorted(world[name] for name in CASES[case].split())


class _Address(str):
    @property
    def id(self) -> str:
        return self.partition("/")[2]


@pytest.mark.parametrize("count", [1, 2])
def test_each_page_brings_what_its_own_matches_lead_to(fhir: httpx.Client, world: dict[str, str], count: int) -> None:
    search = f"/Observation?code={world['code']}|x&_include=Observation:subject&_count={count}"
    for bundle in pages(fhir, search):
        subjects = {
            entry["resource"]["subject"]["reference"] for entry in bundle["entry"] if "subject" in entry["resource"]
        }
        assert set(included(bundle)) == subjects
        self_link = next(link["url"] for link in bundle["link"] if link["relation"] == "self")
        assert parse_qs(urlsplit(self_link).query)["_include"] == ["Observation:subject"]


def test_what_is_gone_or_was_never_here_is_left_out(fhir: httpx.Client) -> None:
    code = "urn:" + uuid.uuid4().hex
    gone = create(fhir, "Patient")
    for subject in (gone, "Patient/never-here", "http://elsewhere.example/Patient/1"):
        create(fhir, "Condition", code={"coding": [{"system": code}]}, subject=refer(subject))
    assert fhir.delete(f"/{gone}").status_code in (200, 204)
    (bundle,) = pages(fhir, f"/Condition?code={code}|&_include=Condition:subject")
    assert (len(included(bundle, "match")), included(bundle)) == (3, [])


def test_an_included_resource_is_the_current_version(fhir: httpx.Client) -> None:
    patient = create(fhir, "Patient", gender="male")
    condition = create(fhir, "Condition", subject=refer(f"{patient}/_history/1"))
    assert fhir.put(f"/{patient}", json={"resourceType": "Patient", "id": patient[8:], "gender": "female"}).is_success
    (bundle,) = pages(fhir, f"/Condition?_id={condition.partition('/')[2]}&_include=Condition:subject")
    (resource,) = [entry["resource"] for entry in bundle["entry"] if entry["search"]["mode"] == "include"]
    assert (resource["meta"]["versionId"], resource["gender"]) == ("2", "female")


def test_canonical_addresses_are_followed_both_ways(fhir: httpx.Client) -> None:
    url = "http://example.org/" + uuid.uuid4().hex
    forms = [create(fhir, "Questionnaire", url=url, version=version, status="active") for version in ("1", "2-Rc")]
    other = create(fhir, "Questionnaire", url=f"{url}/other", status="active")
    answers = {
        asked: create(fhir, "QuestionnaireResponse", status="completed", questionnaire=asked)
        for asked in (f"{url}|2-Rc", url, f"{url}|3")
    }
    expected = {f"{url}|2-Rc": forms[1:], url: forms, f"{url}|3": []}
    for asked, answer in answers.items():
        search = f"/QuestionnaireResponse?_id={answer.partition('/')[2]}&_include=QuestionnaireResponse:questionnaire"
        (bundle,) = pages(fhir, search)
        assert sorted(included(bundle)) == sorted(expected[asked])
    of_two, of_any, _ = answers.values()
    for form, found in ((forms[0], [of_any]), (forms[1], [of_two, of_any]), (other, [])):
        search = f"/Questionnaire?_id={form.partition('/')[2]}&_revinclude=QuestionnaireResponse:questionnaire"
        (bundle,) = pages(fhir, search)
        assert sorted(included(bundle)) == sorted(found)


def test_a_merged_patient_brings_its_survivor_and_the_survivor_what_was_the_others(fhir: httpx.Client) -> None:
    source, target = create(fhir, "Patient"), create(fhir, "Patient")
    condition = create(fhir, "Condition", subject=refer(source))
    parameters = [
        {"name": f"{name}-patient", "valueReference": refer(address)}
        for name, address in (("source", source), ("target", target))
    ]
    merged = fhir.post("/Patient/$merge", json={"resourceType": "Parameters", "parameter": parameters})
    assert merged.status_code == 200, merged.text
    (forward,) = pages(fhir, f"/Condition?_id={condition.partition('/')[2]}&_include=Condition:patient")
    assert sorted(included(forward)) == sorted([source, target])
    (backward,) = pages(fhir, f"/Patient?_id={target[8:]}&_revinclude=Condition:patient")
    assert included(backward) == [condition]


def test_more_than_a_page_holds_comes_on_the_pages_that_follow(fhir: httpx.Client) -> None:
    patients = [create(fhir, "Patient", active=True) for _ in range(2)]
    for subject in patients:
        entries = [
            {
                "resource": {
                    "resourceType": "Flag",
                    "status": "active",
                    "code": {"text": str(n)},
                    "subject": refer(subject),
                },
                "request": {"method": "POST", "url": "Flag"},
            }
            for n in range(MOST // 2 + 50)
        ]
        sent = fhir.post("/", json={"resourceType": "Bundle", "type": "transaction", "entry": entries})
        assert sent.status_code == 200, sent.text
    ids = ",".join(patient[8:] for patient in patients)
    whole = list(pages(fhir, f"/Patient?_id={ids}&_revinclude=Flag:patient"))
    assert [len(included(bundle, "match")) for bundle in whole] == [2, 0]
    assert [len(included(bundle)) for bundle in whole] == [MOST, 100]
    assert len({flag for bundle in whole for flag in included(bundle)}) == MOST + 100
    (outcome,) = [entry["resource"] for entry in whole[0]["entry"] if entry["search"]["mode"] == "outcome"]
    assert "next" in outcome["issue"][0]["details"]["text"]
    apart = list(pages(fhir, f"/Patient?_id={ids}&_revinclude=Flag:patient&_count=1"))
    assert [len(included(bundle, "match")) for bundle in apart] == [1, 1]
    iterated = list(pages(fhir, f"/Patient?_id={ids}&_revinclude:iterate=Flag:patient&_count=2"))
    assert [len(included(bundle)) for bundle in iterated] == [MOST, 100]


def test_matches_go_on_after_what_they_include(fhir: httpx.Client) -> None:
    tag = {"meta": {"tag": [{"system": "urn:goes-on", "code": uuid.uuid4().hex}]}}
    patients = [create(fhir, "Patient", **tag) for _ in range(3)]
    entries = [
        {
            "resource": {
                "resourceType": "Flag",
                "status": "active",
                "code": {"text": "x"},
                "subject": refer(patients[0]),
            },
            "request": {"method": "POST", "url": "Flag"},
        }
        for _ in range(MOST + 1)
    ]
    assert fhir.post("/", json={"resourceType": "Bundle", "type": "transaction", "entry": entries}).status_code == 200
    search = f"/Patient?_tag={tag['meta']['tag'][0]['code']}&_revinclude=Flag:subject&_count=2"
    found = list(pages(fhir, search))
    assert [(len(included(page, "match")), len(included(page))) for page in found] == [(2, MOST), (0, 1), (1, 0)]
    assert sorted(hits(fhir, search)) == sorted(patient[8:] for patient in patients)


@pytest.mark.parametrize(
    ("query", "told"),
    [
        ("_include=Observation", "write Type:parameter"),
        ("_include=,", "write Type:parameter"),
        ("_include=*:subject", "write Type:parameter"),
        ("_include=Observation:subject:Patient:x", "write Type:parameter"),
        ("_include=Observation:subject,Observation:encounter", "write Type:parameter"),
        ("_include=Observations:subject", "did you mean Observation?"),
        ("_include=Observation:subjekt", "valid, nearest first: subject"),
        ("_include=Observation:code", "Observation has no reference parameter code"),
        ("_include=Observation:patient:Group", "Observation:patient points to Patient"),
        ("_include=Encounter:location", "write _include:iterate=Encounter:location"),
        ("_include:recurse=Observation:subject", "R4 calls it :iterate"),
        ("_include:deep=Observation:subject", "its only modifier is :iterate"),
        ("_revinclude=Condition:subject", "it does not lead to Observation"),
        ("_revinclude=Observation:has-member:Patient", "points to"),
        ("_include=Observation:subject&_summary=text", "_summary=text takes neither"),
        ("_include=Observation:subject&_included=x", "_included: follow the `next` link"),
        ("_included=kg", "_included: follow the `next` link"),
    ],
)
def test_an_include_that_cannot_be_obeyed_is_a_400_with_advice(fhir: httpx.Client, query: str, told: str) -> None:
    answer = fhir.get(f"/Observation?{query}")
    assert answer.status_code == 400
    assert told in answer.json()["issue"][0]["details"]["text"]


def test_a_lenient_client_may_include_by_a_parameter_that_there_is_not(
    fhir: httpx.Client, world: dict[str, str]
) -> None:
    search = f"/Observation?code={world['code']}|x&_include=Observation:subjekt"
    bundle = fhir.get(search, headers={"Prefer": "handling=lenient"}).json()
    assert len(included(bundle, "match")) == 3
    (outcome,) = [entry["resource"] for entry in bundle["entry"] if entry["search"]["mode"] == "outcome"]
    assert "subjekt" in outcome["issue"][0]["details"]["text"]


def test_includes_are_shortened_as_the_matches_are(fhir: httpx.Client, world: dict[str, str]) -> None:
    search = f"/Observation?code={world['code']}|x&_include=Observation:encounter"
    for asked, names in (("_summary=true", {"class"}), ("_elements=Encounter.class,status", {"status", "class"})):
        (entry,) = [one for one in fhir.get(f"{search}&{asked}").json()["entry"] if one["search"]["mode"] == "include"]
        assert names <= entry["resource"].keys()
        assert entry["resource"]["meta"]["tag"][0]["code"] == "SUBSETTED"


def test_elements_are_of_the_matches_and_leave_includes_whole(fhir: httpx.Client, world: dict[str, str]) -> None:
    search = f"/Observation?code={world['code']}|x&_include=Observation:encounter&_elements=code,resourceType,id"
    entries = fhir.get(search).json()["entry"]
    (brought,) = [entry["resource"] for entry in entries if entry["search"]["mode"] == "include"]
    assert brought == fhir.get(f"/Encounter/{brought['id']}").json()
    (*_, match) = [entry["resource"] for entry in entries if entry["search"]["mode"] == "match"]
    assert match.keys() == {"resourceType", "id", "meta", "status", "code"}


def test_a_place_among_includes_shows_nothing_of_another_type_or_site(
    fhir: httpx.Client, other_site: httpx.Client
) -> None:
    subject = create(other_site, "Patient")
    entries = [
        {
            "resource": {"resourceType": "Flag", "status": "active", "code": {"text": "x"}, "subject": refer(subject)},
            "request": {"method": "POST", "url": "Flag"},
        }
        for _ in range(MOST + 1)
    ]
    bundle = {"resourceType": "Bundle", "type": "transaction", "entry": entries}
    assert other_site.post("/", json=bundle).status_code == 200
    first = next(pages(other_site, f"/Patient?_id={subject[8:]}&_revinclude=Flag:patient"))
    query = urlsplit(next(link["url"] for link in first["link"] if link["relation"] == "next")).query
    assert len(included(other_site.get(f"/Patient?{query}").json())) == 1
    assert "entry" not in fhir.get(f"/Patient?{query}").json()
    place = parse_qs(query)["_included"][0]
    assert "entry" not in other_site.get(f"/Group?_revinclude=Flag:subject&_included={place}").json()

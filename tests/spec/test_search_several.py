"""http://hl7.org/fhir/R4/http.html#search over several types and within compartments."""

from __future__ import annotations

import uuid
from typing import Any

import httpx
import pytest

from fhir_server.search.membership import COMPARTMENTS
from tests.spec.search import hits
from tests.spec.test_search_include import create, included, pages, refer

FORM = {"Content-Type": "application/x-www-form-urlencoded"}


@pytest.fixture(scope="module")
def world(fhir: httpx.Client) -> dict[str, str]:
    """Resources of several types, all under one tag."""
    tag = uuid.uuid4().hex
    meta = {"meta": {"tag": [{"system": "urn:several", "code": tag}]}}
    made = {"tag": tag}
    made["p0"], made["p1"] = (create(fhir, "Patient", **meta, active=True) for _ in range(2))
    made["doctor"] = create(fhir, "Practitioner", **meta)
    made["kin"] = create(fhir, "RelatedPerson", **meta, patient=refer(made["p0"]))
    made["device"] = create(fhir, "Device", **meta, patient=refer(made["p0"]))
    seen: dict[str, Any] = {**meta, "status": "finished", "class": {"code": "IMP"}, "subject": refer(made["p0"])}
    made["e0"] = create(fhir, "Encounter", **seen, participant=[{"individual": refer(made["doctor"])}])
    observed: dict[str, Any] = {**meta, "status": "final", "code": {"text": "x"}, "subject": refer(made["p0"])}
    made["o0"] = create(fhir, "Observation", **observed, encounter=refer(made["e0"]), effectiveDateTime="2020-01-02")
    made["o1"] = create(
        fhir, "Observation", **observed, performer=[refer(made["kin"])], device=refer(made["device"]),
        effectiveDateTime="2021",
    )  # fmt: skip
    made["c0"] = create(fhir, "Condition", **meta, subject=refer(made["p0"]), encounter=refer(made["e0"]))
    made["c1"] = create(fhir, "Condition", **meta, subject=refer(made["p1"]))
    return made


def found(fhir: httpx.Client, world: dict[str, str], url: str) -> list[str]:
    """Names of the matches over all pages, in their order."""
    names = {address: name for name, address in world.items()}
    return [names[address] for bundle in pages(fhir, url) for address in included(bundle, "match")]


CASES = {
    "/?_tag={tag}": "p0 p1 doctor kin device e0 o0 o1 c0 c1",
    "/?_tag={tag}&_type=Observation,Condition": "o0 o1 c0 c1",
    "/?_tag={tag}&_type=Condition": "c0 c1",
    "/?_tag={tag}&_type=Account": "",
    "/?_tag={tag}&_type=Observation,Condition,Encounter&patient={p0}": "e0 o0 o1 c0",
    "/?_tag={tag}&_type=Observation,Condition&patient=Patient/{p0}&encounter={e0}": "o0 c0",
    "/?_tag={tag}&_type=Observation,Condition&subject:Patient._tag={tag}": "o0 o1 c0 c1",
    "/?_id={c0},{p1}&_tag={tag}": "p1 c0",
    "/?_tag={tag}&_lastUpdated=lt2000": "",
    "/?_tag={tag}&_lastUpdated=gt2000&_type=Patient": "p0 p1",
    "/?_tag:not={tag}&_id={c0}": "",
    "/Patient/{p0}/Observation": "o0 o1",
    "/Patient/{p0}/Observation?date=2020": "o0",
    "/Patient/{p0}/Observation?encounter={e0}&_sort=-date": "o0",
    "/Patient/{p1}/Observation": "",
    "/Patient/nobody/Observation": "",
    "/Patient/{p0}/Patient": "p0",
    "/Patient/{p0}/*": "p0 kin e0 o0 o1 c0",
    "/Patient/{p0}/*?_type=Observation,Encounter": "e0 o0 o1",
    "/Patient/{p0}/*?_type=Patient": "p0",
    "/Patient/{p0}/*?_tag=nothing": "",
    "/Encounter/{e0}/*": "e0 o0 c0",
    "/Encounter/{e0}/Condition": "c0",
    "/Practitioner/{doctor}/*": "doctor e0",
    "/RelatedPerson/{kin}/*": "kin o1",
    "/Device/{device}/*": "device o1",
    "/Device/{device}/Observation?status=final": "o1",
}


@pytest.mark.parametrize("case", CASES)
@pytest.mark.parametrize("count", [1, 3, 1000])
def test_what_is_found_over_types_whatever_the_page_size(
    fhir: httpx.Client, world: dict[str, str], case: str, count: int
) -> None:
    ids = {name: address.partition("/")[2] or address for name, address in world.items()}
    url = case.format(**ids)
    names = found(fhir, world, f"{url}{'&' if '?' in url else '?'}_count={count}")
    assert sorted(names) == sorted(CASES[case].split())


def test_results_of_several_types_come_in_one_order(fhir: httpx.Client, world: dict[str, str]) -> None:
    everything = "p0 p1 doctor kin device e0 o0 o1 c0 c1".split()
    for count in (1, 4, 100):
        url = f"/?_tag={world['tag']}&_count={count}&_sort="
        assert found(fhir, world, url + "_lastUpdated") == everything
        assert found(fhir, world, url + "-_lastUpdated") == everything[::-1]
        by_id = sorted(everything, key=lambda name: world[name].partition("/")[2])
        assert found(fhir, world, url + "_id") == by_id
        dated = f"/?_tag={world['tag']}&_type=Observation,Encounter&_count={count}&_sort=-date"
        assert found(fhir, world, dated) == ["o1", "o0", "e0"], "a resource without a date comes last"


def test_a_total_counts_all_types(fhir: httpx.Client, world: dict[str, str]) -> None:
    for asked in ("_total=accurate&_count=2", "_summary=count", "_count=0"):
        assert fhir.get(f"/?_tag={world['tag']}&{asked}").json()["total"] == 10
    assert fhir.get(f"/{world['p0']}/*?_summary=count").json()["total"] == 6
    assert fhir.get(f"/{world['p0']}/Patient?_summary=count").json()["total"] == 1


def test_a_total_counts_what_two_types_of_targets_lead_to(fhir: httpx.Client, world: dict[str, str]) -> None:
    for search in (f"Observation?subject._tag={world['tag']}", f"Patient?_filter=_id eq {world['p0'][8:]} or _id eq x"):
        counted = fhir.get(f"/{search}&_summary=count")
        assert counted.status_code == 200, counted.text
        assert counted.json()["total"] == len(hits(fhir, f"/{search}"))


def test_includes_go_out_from_all_types(fhir: httpx.Client, world: dict[str, str]) -> None:
    url = f"/?_tag={world['tag']}&_type=Observation,Condition"
    (both,) = pages(fhir, f"{url}&_include=Observation:subject&_include=Condition:subject")
    assert sorted(included(both)) == sorted([world["p0"], world["p1"]])
    (inside,) = pages(fhir, f"/{world['p0']}/Observation?_include=Observation:performer")
    assert included(inside) == [world["kin"]]
    (every,) = pages(fhir, f"/{world['p1']}/*?_include=Condition:subject")
    assert (included(every, "match"), included(every)) == ([world["p1"], world["c1"]], [])


@pytest.mark.parametrize("address", ["/_search", "/Patient/{p0}/_search", "/Patient/{p0}/*/_search"])
def test_a_form_is_the_same_search(fhir: httpx.Client, world: dict[str, str], address: str) -> None:
    ids = {name: own.partition("/")[2] or own for name, own in world.items()}
    path = address.format(**ids)
    answer = fhir.post(f"{path}?_type=Observation", content=f"_tag={world['tag']}&_count=1", headers=FORM)
    assert answer.status_code == 200, answer.text
    links = {link["relation"]: link["url"] for link in answer.json()["link"]}
    asked = httpx.URL(links["self"]).params
    assert (asked["_type"], asked["_tag"], asked["_count"]) == ("Observation", world["tag"], "1")
    assert "_search" not in links["next"]
    assert sorted(found(fhir, world, links["self"])) == ["o0", "o1"]
    single = fhir.post(f"/{world['p0']}/Observation/_search", content="date=2020", headers=FORM)
    assert included(single.json(), "match") == [world["o0"]]


def test_full_urls_name_the_type(fhir: httpx.Client, world: dict[str, str]) -> None:
    bundle = fhir.get(f"/?_tag={world['tag']}").json()
    urls = [entry["fullUrl"] for entry in bundle["entry"]]
    assert sorted(urls) == sorted(f"{fhir.base_url}{own}" for name, own in world.items() if name != "tag")


def test_what_a_merged_patient_had_is_in_the_compartment_of_the_survivor(fhir: httpx.Client) -> None:
    source, target = create(fhir, "Patient"), create(fhir, "Patient")
    condition = create(fhir, "Condition", subject=refer(source))
    pair = (("source", source), ("target", target))
    parameters = [{"name": f"{name}-patient", "valueReference": refer(address)} for name, address in pair]
    assert fhir.post("/Patient/$merge", json={"resourceType": "Parameters", "parameter": parameters}).is_success
    assert hits(fhir, f"/{target}/Condition") == [condition.partition("/")[2]]
    assert sorted(hits(fhir, f"/{target}/*")) == sorted(one.partition("/")[2] for one in (source, target, condition))


@pytest.mark.parametrize(
    ("url", "status", "told"),
    [
        ("/?code=x", 400, "code is not a parameter of all types that are searched"),
        ("/?patient=1", 400, "Name those that do in _type"),
        ("/?_type=Observation,Condition&birthdate=2000", 400, "Observation does not take it"),
        ("/?_type=Observation,Condition&value-quantity=1", 400, "does not take it"),
        ("/?_type=Observation,Condition&_sort=code,date", 400, "_sort"),
        ("/?_type=Nothing", 400, "list resource types"),
        ("/?_type=,", 400, "list resource types"),
        ("/?_type=Patient&_type=Group", 400, "write it once"),
        ("/?_cursor=x", 400, "_cursor: follow"),
        ("/?_cursor=x&_cursor=y", 400, "_cursor: write it once"),
        ("/?_count=x", 400, "_count"),
        ("/Patient?_type=Patient", 400, "write it at the base"),
        ("/Patient/1/Observation?_type=Observation", 400, "write it at the base"),
        ("/Patient/1/Observation?coed=x", 400, "nearest first: code"),
        ("/Patient/1/Observations", 404, "did you mean Observation"),
        ("/Patient/1/Location", 404, "No Location is ever in the compartment of a Patient; these are: Account"),
        ("/Patient/1/*?_type=Location", 404, "No Location is ever in the compartment"),
        ("/Organization/1/Patient", 404, "Nothing is served at Organization/1/Patient"),
    ],
)
def test_what_cannot_be_searched_is_refused_with_advice(fhir: httpx.Client, url: str, status: int, told: str) -> None:
    answer = fhir.get(url)
    assert answer.status_code == status, answer.text
    assert told in answer.json()["issue"][0]["details"]["text"]


def test_a_lenient_client_hears_what_not_all_types_have(fhir: httpx.Client, world: dict[str, str]) -> None:
    url = f"/?_tag={world['tag']}&_type=Observation,Condition&birthdate=2000"
    bundle = fhir.get(url, headers={"Prefer": "handling=lenient"}).json()
    assert len(included(bundle, "match")) == 4
    assert "birthdate" not in next(link["url"] for link in bundle["link"] if link["relation"] == "self")
    (outcome,) = [entry["resource"] for entry in bundle["entry"] if entry["search"]["mode"] == "outcome"]
    assert "birthdate" in outcome["issue"][0]["details"]["text"]


def test_a_batch_may_ask_the_same(fhir: httpx.Client, world: dict[str, str]) -> None:
    urls = [f"?_tag={world['tag']}&_type=Condition", f"{world['p0']}/Observation?date=2020"]
    entries = [{"request": {"method": "GET", "url": url}} for url in urls]
    answer = fhir.post("/", json={"resourceType": "Bundle", "type": "batch", "entry": entries}).json()
    matches = [included(entry["resource"], "match") for entry in answer["entry"]]
    assert [sorted(one) for one in matches] == [sorted([world["c0"], world["c1"]]), [world["o0"]]]


def test_the_compartments_are_those_of_the_specification(fhir: httpx.Client) -> None:
    assert COMPARTMENTS == ("Device", "Encounter", "Patient", "Practitioner", "RelatedPerson")
    for name in COMPARTMENTS:
        assert fhir.get(f"/{name}/1/{name}").status_code == 200
        assert fhir.get(f"/{name}/1/*").status_code == 200
        assert fhir.options(f"/{name}/1/*").headers["allow"] == "GET, HEAD, OPTIONS"

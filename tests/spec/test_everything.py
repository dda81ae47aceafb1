"""http://hl7.org/fhir/R4/patient-operation-everything.html and encounter-operation-everything.html."""

from __future__ import annotations

import uuid
from typing import Any

import httpx
import pytest

FINAL = {"resourceType": "Observation", "status": "final", "code": {"text": "x"}}
WORLD = [
    ("Organization", "hospital", {}),
    ("Organization", "maker", {}),
    ("Location", "ward", {"managingOrganization": "Organization/hospital"}),
    ("Practitioner", "doctor", {}),
    ("Practitioner", "stranger", {}),
    ("PractitionerRole", "role", {"practitioner": "Practitioner/doctor", "organization": "Organization/hospital"}),
    ("Medication", "drug", {"manufacturer": "Organization/maker"}),
    ("Binary", "scan", {"contentType": "application/pdf", "data": "QUJD"}),
    ("Patient", "anna", {"generalPractitioner": ["PractitionerRole/role"]}),
    ("Patient", "other", {"generalPractitioner": ["Practitioner/stranger"]}),
    ("Encounter", "stay", {"subject": "Patient/anna", "location": [{"location": "Location/ward"}]}),
    ("Encounter", "visit", {"subject": "Patient/anna"}),
    ("Observation", "early", {"subject": "Patient/anna", "effectiveDateTime": "2019-05-01"}),
    (
        "Observation",
        "late",
        {"subject": "Patient/anna", "effectiveDateTime": "2021-05-01", "encounter": "Encounter/stay"},
    ),
    ("Observation", "undated", {"subject": "Patient/anna", "encounter": "Encounter/stay"}),
    ("Observation", "of-other", {"subject": "Patient/other", "effectiveDateTime": "2021-05-01"}),
    ("Condition", "asthma", {"subject": "Patient/anna", "onsetDateTime": "2010", "encounter": "Encounter/stay"}),
    ("MedicationRequest", "order", {"subject": "Patient/anna", "medicationReference": "Medication/drug"}),
    ("DocumentReference", "letter", {"subject": "Patient/anna", "content": [{"attachment": {"url": "Binary/scan"}}]}),
    (
        "Coverage",
        "policy",
        {"beneficiary": "Patient/other", "policyHolder": "Patient/anna", "payor": ["Organization/hospital"]},
    ),
    ("Group", "study", {"member": [{"entity": "Patient/other"}, {"entity": "Patient/anna"}]}),
]
FIXED: dict[str, dict[str, Any]] = {
    "Organization": {"name": "X"},
    "Encounter": {"status": "finished", "class": {"code": "IMP"}},
    "Observation": {"status": "final", "code": {"text": "x"}},
    "MedicationRequest": {"status": "active", "intent": "order"},
    "DocumentReference": {"status": "current"},
    "Coverage": {"status": "active"},
    "Group": {"type": "person", "actual": True},
}
ANNA = "anna stay visit early late undated asthma order letter policy study".split()
REFERRED = "hospital maker ward doctor role drug scan".split()
STAY = "stay late undated asthma".split()


def _body(kind: str, resource_id: str, given: dict[str, Any], suffix: str) -> dict[str, Any]:
    """The resource; a text like Patient/anna is a reference, but for an attachment's url."""

    def made(value: Any, name: str = "") -> Any:
        if isinstance(value, dict):
            return {key: made(member, key) for key, member in value.items()}
        if isinstance(value, list):
            return [made(item, name) for item in value]
        if isinstance(value, str) and "/" in value and value[0].isupper():
            return f"{value}-{suffix}" if name == "url" else {"reference": f"{value}-{suffix}"}
        return value

    return {"resourceType": kind, "id": f"{resource_id}-{suffix}", **FIXED.get(kind, {}), **made(given)}


@pytest.fixture(scope="module")
def suffix(fhir: httpx.Client) -> str:
    """A world of its own; its ids end in this."""
    suffix = uuid.uuid4().hex[:8]
    for kind, name, given in WORLD:
        answer = fhir.put(f"/{kind}/{name}-{suffix}", json=_body(kind, name, given, suffix))
        assert answer.status_code == 201, answer.text
    return suffix


def _entries(fhir: httpx.Client, url: str, pages: list[int] | None = None) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = []
    while url:
        answer = fhir.get(url)
        assert answer.status_code == 200, answer.text
        bundle = answer.json()
        assert (bundle["resourceType"], bundle["type"]) == ("Bundle", "searchset")
        if pages is not None:
            pages.append(len(bundle.get("entry", [])))
        found += bundle.get("entry", [])
        url = next((link["url"] for link in bundle["link"] if link["relation"] == "next"), "")
    return found


def _names(entries: list[dict[str, Any]], suffix: str) -> list[str]:
    return [entry["resource"]["id"].removesuffix(f"-{suffix}") for entry in entries]


@pytest.mark.parametrize("count", [1, 2, 3, 7, 11, 18, 500])
def test_it_is_the_patient_then_the_compartment_then_what_those_refer_to(
    fhir: httpx.Client, suffix: str, count: int
) -> None:
    pages: list[int] = []
    entries = _entries(fhir, f"/Patient/anna-{suffix}/$everything?_count={count}", pages)
    names = _names(entries, suffix)
    assert names[0] == "anna"
    assert sorted(names[: len(ANNA)]) == sorted(ANNA)
    assert sorted(names[len(ANNA) :]) == sorted(REFERRED)
    assert [entry["search"]["mode"] for entry in entries] == ["match"] * len(ANNA) + ["include"] * len(REFERRED)
    assert all(size == count for size in pages[:-1])
    assert 1 <= pages[-1] <= count


def test_each_entry_is_the_resource_as_it_is_read(fhir: httpx.Client, suffix: str) -> None:
    for entry in _entries(fhir, f"/Patient/anna-{suffix}/$everything"):
        assert fhir.get(entry["fullUrl"]).json() == entry["resource"]


def test_a_post_of_parameters_answers_the_same_and_its_next_link_is_a_get(fhir: httpx.Client, suffix: str) -> None:
    sent = {"resourceType": "Parameters", "parameter": [{"name": "_count", "valueInteger": 4}]}
    first = fhir.post(f"/Patient/anna-{suffix}/$everything", json=sent)
    assert first.status_code == 200
    onward = next(link["url"] for link in first.json()["link"] if link["relation"] == "next")
    entries = first.json()["entry"] + _entries(fhir, onward)
    assert sorted(_names(entries, suffix)) == sorted(ANNA + REFERRED)


def test_an_entry_of_a_batch_or_transaction_answers_the_same(fhir: httpx.Client, suffix: str) -> None:
    entry = {"request": {"method": "GET", "url": f"Patient/anna-{suffix}/$everything"}}
    for kind in ("batch", "transaction"):
        answer = fhir.post("", json={"resourceType": "Bundle", "type": kind, "entry": [entry]})
        assert answer.status_code == 200, answer.text
        (told,) = answer.json()["entry"]
        assert told["response"]["status"].startswith("200")
        assert sorted(_names(told["resource"]["entry"], suffix)) == sorted(ANNA + REFERRED)


@pytest.mark.parametrize(
    ("asked", "expected"),
    [
        ("_type=Observation", "early late undated"),
        ("_type=Observation,Medication", "early late undated drug"),
        ("_type=Observation&_type=Binary", "early late undated scan"),
        ("_type=Patient", "anna"),
        ("_type=Slot", ""),
        ("start=2020-01-01&_type=Observation,Condition", "late undated"),
        ("end=2020-01-01&_type=Observation,Condition", "early undated asthma"),
        ("start=2019&end=2019&_type=Observation", "early undated"),
        ("_since=2099-01-01", ""),
    ],
)
def test_it_can_be_narrowed(fhir: httpx.Client, suffix: str, asked: str, expected: str) -> None:
    for count in (1, 100):
        entries = _entries(fhir, f"/Patient/anna-{suffix}/$everything?{asked}&_count={count}")
        assert sorted(_names(entries, suffix)) == sorted(expected.split())


def test_since_gives_what_changed_since(fhir: httpx.Client, suffix: str) -> None:
    added = {**FINAL, "subject": {"reference": f"Patient/anna-{suffix}"}}
    answer = fhir.post("/Observation", json=added)
    since = answer.json()["meta"]["lastUpdated"]
    path = answer.headers["location"].split("/_history")[0]
    try:
        entries = _entries(fhir, f"/Patient/anna-{suffix}/$everything?_since={since}")
        assert [entry["resource"]["id"] for entry in entries] == [answer.json()["id"]]
    finally:
        assert fhir.delete(path).status_code == 204
    assert answer.json()["id"] not in _names(_entries(fhir, f"/Patient/anna-{suffix}/$everything"), suffix)


def test_pages_are_stable_while_others_write(fhir: httpx.Client, suffix: str) -> None:
    """What is there from the first page to the last comes exactly once."""
    patient = f"Patient/anna-{suffix}"
    url, names, added = f"/{patient}/$everything?_count=3", [], []
    while url:
        bundle = fhir.get(url).json()
        names += _names(bundle.get("entry", []), suffix)
        url = next((link["url"] for link in bundle["link"] if link["relation"] == "next"), "")
        for kind in ("Observation", "Observation"):
            body = {**FINAL, "resourceType": kind, "subject": {"reference": patient}}
            added.append(fhir.post(f"/{kind}", json=body).json()["id"])
        for _, name, given in WORLD[11:14]:
            body = _body(_, name, {**given, "language": "fr"}, suffix)
            assert fhir.put(f"/{_}/{name}-{suffix}", json=body).status_code == 200
    for resource_id in added:
        fhir.delete(f"/Observation/{resource_id}")
    known = [name for name in names if name in ANNA + REFERRED]
    assert sorted(known) == sorted(ANNA + REFERRED)
    assert len(names) == len(set(names))


@pytest.mark.parametrize("count", [1, 3, 100])
def test_of_an_encounter_it_is_what_happened_in_it(fhir: httpx.Client, suffix: str, count: int) -> None:
    names = _names(_entries(fhir, f"/Encounter/stay-{suffix}/$everything?_count={count}"), suffix)
    assert names[0] == "stay"
    assert sorted(names[: len(STAY)]) == sorted(STAY)
    assert sorted(names[len(STAY) :]) == sorted(["anna", "ward", "hospital"])


@pytest.mark.parametrize("count", [7, 1000])
def test_of_all_patients_each_resource_comes_once(fhir: httpx.Client, suffix: str, count: int) -> None:
    entries = _entries(fhir, f"/Patient/$everything?_count={count}")
    kinds = [entry["resource"]["resourceType"] for entry in entries]
    assert "Patient" not in kinds[kinds.count("Patient") :]
    keys = [entry["fullUrl"] for entry in entries]
    assert len(keys) == len(set(keys))
    ours = {name.removesuffix(f"-{suffix}") for name in _names(entries, "") if name.endswith(suffix)}
    assert ours >= {*ANNA, *REFERRED, "other", "of-other", "stranger"} - {"scan"}


def test_a_patient_that_there_is_not_answers_404_and_a_deleted_one_410(fhir: httpx.Client) -> None:
    assert fhir.get("/Patient/nobody/$everything").status_code == 404
    gone = fhir.post("/Patient", json={"resourceType": "Patient"}).json()["id"]
    fhir.delete(f"/Patient/{gone}")
    answer = fhir.get(f"/Patient/{gone}/$everything")
    assert (answer.status_code, answer.json()["issue"][0]["code"]) == (410, "deleted")


@pytest.mark.parametrize(
    "asked",
    [
        "_count=0",
        "_count=x",
        "_type=Observations",
        "_since=soon",
        "start=x",
        "_cursor=x",
        "until=2020",
        "_cursor=9-1-1",
    ],
)
def test_a_parameter_that_cannot_be_read_answers_400(fhir: httpx.Client, suffix: str, asked: str) -> None:
    answer = fhir.get(f"/Patient/anna-{suffix}/$everything?{asked}")
    assert answer.status_code == 400
    assert answer.json()["resourceType"] == "OperationOutcome"
    assert asked.partition("=")[0] in answer.json()["issue"][0]["details"]["text"]


def test_all_that_is_wrong_is_told_at_once(fhir: httpx.Client, suffix: str) -> None:
    answer = fhir.get(
        f"/Patient/anna-{suffix}/$everything?until=2020&_pretty=maybe&_count=0&_type=Patients,Patient,Foo&end=soon"
    )
    assert answer.status_code == 400
    told = [(issue["details"]["text"], issue.get("diagnostics", "")) for issue in answer.json()["issue"]]
    names = sorted(text.partition(":")[0] for text, _ in told if ":" in text)
    assert names == ["_count", "_pretty", "_type", "_type", "end"]
    (unknown,) = (text for text, _ in told if "no parameter until" in text)
    assert "_count" in unknown and "_cursor" not in unknown
    assert [found for text, found in told if "_type" in text[:6]] == ["found 'Patients'", "found 'Foo'"]


def test_an_encounter_takes_no_dates_of_care(fhir: httpx.Client, suffix: str) -> None:
    assert fhir.get(f"/Encounter/stay-{suffix}/$everything?start=2020").status_code == 400


def test_other_methods_answer_405(fhir: httpx.Client, suffix: str) -> None:
    answer = fhir.put(f"/Patient/anna-{suffix}/$everything", json={})
    assert answer.status_code == 405
    assert fhir.head(f"/Patient/anna-{suffix}/$everything").content == b""


def test_it_is_declared(fhir: httpx.Client) -> None:
    resources = fhir.get("/metadata").json()["rest"][0]["resource"]
    declared = {one["type"]: [op["name"] for op in one.get("operation", [])] for one in resources}
    assert "everything" in declared["Patient"]
    assert "everything" in declared["Encounter"]
    assert "everything" not in declared["Observation"]

"""http://hl7.org/fhir/R4/http.html#cond-update and #3.1.0.7.1: update and delete of what matches."""

from __future__ import annotations

import concurrent.futures
import uuid
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest

from tests.services.postgres import Postgres
from tests.services.server import serving
from tests.spec.search import hits

SYSTEM = "urn:test"


def _patient(value: str, **given: Any) -> dict[str, Any]:
    return {"resourceType": "Patient", "identifier": [{"system": SYSTEM, "value": value}], **given}


def _criteria(value: str) -> str:
    return f"identifier={SYSTEM}|{value}"


@pytest.fixture
def value() -> str:
    """An identifier that no other test has."""
    return str(uuid.uuid4())


def test_conditional_update_without_a_match_creates_under_an_id_of_the_server(fhir: httpx.Client, value: str) -> None:
    answer = fhir.put(f"/Patient?{_criteria(value)}", json=_patient(value))
    assert (answer.status_code, answer.headers["etag"]) == (201, 'W/"1"')
    assert answer.headers["location"].endswith(f"/Patient/{answer.json()['id']}/_history/1")
    assert hits(fhir, f"/Patient?{_criteria(value)}") == [answer.json()["id"]]


def test_conditional_update_without_a_match_creates_under_the_clients_id(fhir: httpx.Client, value: str) -> None:
    answer = fhir.put(f"/Patient?{_criteria(value)}", json=_patient(value, id=value))
    assert (answer.status_code, answer.json()["id"]) == (201, value)


def test_conditional_update_without_a_match_under_a_taken_id_answers_409(fhir: httpx.Client, value: str) -> None:
    taken = fhir.post("/Patient", json={"resourceType": "Patient"}).json()["id"]
    answer = fhir.put(f"/Patient?{_criteria(value)}", json=_patient(value, id=taken))
    assert (answer.status_code, answer.json()["issue"][0]["code"]) == (409, "conflict")
    assert answer.json()["issue"][0]["expression"] == ["Patient.id"]
    assert fhir.get(f"/Patient/{taken}").headers["etag"] == 'W/"1"'


@pytest.mark.parametrize("with_id", [False, True])
def test_conditional_update_with_one_match_updates_it(fhir: httpx.Client, value: str, with_id: bool) -> None:
    standing = fhir.post("/Patient", json=_patient(value)).json()["id"]
    body = _patient(value, gender="male", **({"id": standing} if with_id else {}))
    answer = fhir.put(f"/Patient?{_criteria(value)}", json=body)
    assert (answer.status_code, answer.headers["etag"], answer.json()["id"]) == (200, 'W/"2"', standing)
    again = fhir.put(f"/Patient?{_criteria(value)}", json=body)
    assert (again.status_code, again.headers["etag"]) == (200, 'W/"2"')


def test_conditional_update_with_another_id_than_the_match_answers_400(fhir: httpx.Client, value: str) -> None:
    standing = fhir.post("/Patient", json=_patient(value)).json()["id"]
    answer = fhir.put(f"/Patient?{_criteria(value)}", json=_patient(value, id="another"))
    assert (answer.status_code, answer.json()["issue"][0]["expression"]) == (400, ["Patient.id"])
    assert fhir.get(f"/Patient/{standing}").headers["etag"] == 'W/"1"'


def test_conditional_writes_with_several_matches_answer_412_and_write_nothing(fhir: httpx.Client, value: str) -> None:
    ids = [fhir.post("/Patient", json=_patient(value)).json()["id"] for _ in range(2)]
    answers = [
        fhir.put(f"/Patient?{_criteria(value)}", json=_patient(value, gender="male")),
        fhir.delete(f"/Patient?{_criteria(value)}"),
        fhir.post("/Patient", json=_patient(value), headers={"If-None-Exist": _criteria(value)}),
    ]
    assert [(a.status_code, a.json()["issue"][0]["code"]) for a in answers] == [(412, "conflict")] * 3
    assert [fhir.get(f"/Patient/{i}").headers["etag"] for i in ids] == ['W/"1"'] * 2


@pytest.mark.parametrize("query", ["", "?", "?_count=5", "?colour=red"])
def test_conditional_writes_without_criteria_answer_400(fhir: httpx.Client, query: str) -> None:
    answers = [fhir.put(f"/Patient{query}", json={"resourceType": "Patient"}), fhir.delete(f"/Patient{query}")]
    assert [a.status_code for a in answers] == [400, 400]


def test_conditional_update_obeys_if_match(fhir: httpx.Client, value: str) -> None:
    stale = {"If-Match": 'W/"7"'}
    assert fhir.put(f"/Patient?{_criteria(value)}", json=_patient(value), headers=stale).status_code == 412
    fhir.post("/Patient", json=_patient(value))
    refused = fhir.put(f"/Patient?{_criteria(value)}", json=_patient(value, active=True), headers=stale)
    assert (refused.status_code, refused.headers["etag"]) == (412, 'W/"1"')
    good = fhir.put(f"/Patient?{_criteria(value)}", json=_patient(value, active=True), headers={"If-Match": 'W/"1"'})
    assert (good.status_code, good.headers["etag"]) == (200, 'W/"2"')


def test_criteria_use_the_search_language(fhir: httpx.Client, value: str) -> None:
    patient = fhir.post("/Patient", json=_patient(value, birthDate="1956-03-02", name=[{"family": "Lemaire"}])).json()
    query = f"birthdate=ge1956&family=lemaire&{_criteria(value)}&_lastUpdated=gt2000"
    assert fhir.put(f"/Patient?{query}", json=_patient(value)).json()["id"] == patient["id"]


def test_twenty_parallel_conditional_updates_make_one_resource(fhir: httpx.Client, value: str) -> None:
    def update(number: int) -> httpx.Response:
        return fhir.put(f"/Patient?{_criteria(value)}", json=_patient(value, multipleBirthInteger=number))

    with concurrent.futures.ThreadPoolExecutor(20) as pool:
        answers = list(pool.map(update, range(1, 21)))
    assert sorted(a.status_code for a in answers) == [200] * 19 + [201]
    assert len({a.json()["id"] for a in answers}) == 1
    assert sorted(int(a.json()["meta"]["versionId"]) for a in answers) == list(range(1, 21))


def test_twenty_parallel_conditional_updates_and_plain_ones_all_take_effect(fhir: httpx.Client, value: str) -> None:
    standing = fhir.post("/Patient", json=_patient(value)).json()["id"]

    def update(number: int) -> int:
        body = _patient(value, id=standing, multipleBirthInteger=number)
        address = f"/Patient?{_criteria(value)}" if number % 2 else f"/Patient/{standing}"
        return fhir.put(address, json=body).status_code

    with concurrent.futures.ThreadPoolExecutor(20) as pool:
        assert set(pool.map(update, range(1, 41))) == {200}
    assert fhir.get(f"/Patient/{standing}").headers["etag"] == 'W/"41"'


def test_conditional_create_takes_the_whole_address_as_criteria(fhir: httpx.Client, value: str) -> None:
    first = fhir.post("/Patient", json=_patient(value), headers={"If-None-Exist": _criteria(value)})
    for criteria in (f"Patient?{_criteria(value)}", f"{fhir.base_url}Patient?{_criteria(value)}"):
        again = fhir.post("/Patient", json=_patient(value), headers={"If-None-Exist": criteria})
        assert (again.status_code, again.headers["location"]) == (200, first.headers["location"])


def test_conditional_delete_of_one_match_is_a_delete(fhir: httpx.Client, value: str) -> None:
    standing = fhir.post("/Patient", json=_patient(value)).json()["id"]
    answer = fhir.delete(f"/Patient?{_criteria(value)}")
    assert (answer.status_code, answer.content, answer.headers["etag"]) == (204, b"", 'W/"2"')
    assert fhir.get(f"/Patient/{standing}").status_code == 410
    assert fhir.delete(f"/Patient?{_criteria(value)}").status_code == 204


def test_conditional_delete_tells_how_many_to_those_who_ask(fhir: httpx.Client, value: str) -> None:
    fhir.post("/Patient", json=_patient(value))
    answers = [
        fhir.delete(f"/Patient?{_criteria(value)}", headers={"Prefer": "return=OperationOutcome"}) for _ in range(2)
    ]
    told = [(a.status_code, a.json()["issue"][0]["details"]["text"]) for a in answers]
    assert told == [(200, "1 Patient deleted."), (200, "0 Patient deleted.")]


@pytest.fixture(scope="module")
def several(postgres: Postgres, tmp_path_factory: pytest.TempPathFactory) -> Iterator[httpx.Client]:
    """A client of a server that deletes several at once."""
    data: Path = tmp_path_factory.mktemp("several")
    with (
        postgres.database("template0") as url,
        serving(data, ECLUSE_DATABASE_URL=url, ECLUSE_CONDITIONAL_DELETE="multiple") as served,
        httpx.Client(base_url=f"{served.url}/fhir", timeout=60) as client,
    ):
        yield client


def test_conditional_delete_of_several_is_bound_by_count_and_tells_how_many(several: httpx.Client, value: str) -> None:
    ids = [several.post("/Patient", json=_patient(value)).json()["id"] for _ in range(5)]
    first = several.delete(f"/Patient?{_criteria(value)}&_count=3")
    assert first.status_code == 200
    assert first.json()["issue"][0]["details"]["text"].startswith("3 Patient deleted. More match")
    assert sorted(several.get(f"/Patient/{i}").status_code for i in ids) == [200, 200, 410, 410, 410]
    rest = several.delete(f"/Patient?{_criteria(value)}")
    assert rest.json()["issue"][0]["details"]["text"] == "2 Patient deleted."
    assert {several.get(f"/Patient/{i}").status_code for i in ids} == {410}


def test_the_capability_statement_tells_which_conditional_delete(fhir: httpx.Client, several: httpx.Client) -> None:
    told = [c.get("/metadata").json()["rest"][0]["resource"][0] for c in (fhir, several)]
    assert [one["conditionalDelete"] for one in told] == ["single", "multiple"]
    assert told[0]["conditionalUpdate"] is True


def test_twenty_parallel_conditional_deletes_delete_each_once(several: httpx.Client, value: str) -> None:
    ids = [several.post("/Patient", json=_patient(value)).json()["id"] for _ in range(30)]
    with concurrent.futures.ThreadPoolExecutor(20) as pool:
        answers = list(pool.map(lambda _: several.delete(f"/Patient?{_criteria(value)}&_count=4"), range(20)))
    assert {a.status_code for a in answers} == {200}
    assert sum(int(a.json()["issue"][0]["details"]["text"].split()[0]) for a in answers) == 30
    assert {several.get(f"/Patient/{i}/_history").json()["total"] for i in ids} == {2}

"""$purge: https://build.fhir.org/patient-operation-purge.html, and the same of one resource."""

from __future__ import annotations

import uuid
from typing import Any

import asyncpg
import httpx
import pytest

from tests.services.server import Served

WORD = "Canarinette"


@pytest.fixture
def patient(fhir: httpx.Client) -> str:
    """A patient whose name nobody else has."""
    return str(_create(fhir, {"resourceType": "Patient", "name": [{"family": WORD + uuid.uuid4().hex}]})["id"])


def _create(fhir: httpx.Client, body: dict[str, Any], **headers: str) -> dict[str, Any]:
    answer = fhir.post(f"/{body['resourceType']}", json=body, headers=headers)
    assert answer.status_code == 201, answer.text
    created: dict[str, Any] = answer.json()
    return created


def _observation(patient: str, **given: Any) -> dict[str, Any]:
    body = {"resourceType": "Observation", "status": "final", "code": {"text": WORD}, "effectiveDateTime": "2020-02-02"}
    return {**body, "subject": {"reference": f"Patient/{patient}"}, **given}


def _issues(answer: httpx.Response) -> list[tuple[str, str]]:
    assert answer.json()["resourceType"] == "OperationOutcome"
    return [(issue["severity"], issue["details"]["text"]) for issue in answer.json()["issue"]]


def _is_gone(fhir: httpx.Client, address: str, version: int) -> None:
    """Reads are 410, no earlier version is there, the history tells nothing but that it went."""
    for read in (address, f"{address}/_history/{version}"):
        answer = fhir.get(f"/{read}")
        assert (answer.status_code, answer.headers["etag"]) == (410, f'W/"{version}"')
        assert f"was erased with all its versions ($purge); version {version} says so" in _issues(answer)[0][1]
    for number in range(1, version):
        assert fhir.get(f"/{address}/_history/{number}").status_code == 404
    history = fhir.get(f"/{address}/_history").json()
    assert [entry["request"]["method"] for entry in history["entry"]] == ["DELETE"]
    assert "resource" not in history["entry"][0]
    assert history["entry"][0]["response"]["etag"] == f'W/"{version}"'


def test_one_resource_goes_with_its_history_and_its_versions_go_on(fhir: httpx.Client, patient: str) -> None:
    created = _create(fhir, _observation(patient))
    address = f"Observation/{created['id']}"
    assert fhir.put(f"/{address}", json={**created, "status": "amended"}).status_code == 200
    answer = fhir.post(f"/{address}/$purge")
    assert answer.status_code == 200
    assert _issues(answer) == [("information", "Erased with all versions: 1 Observation.")]
    _is_gone(fhir, address, 3)
    assert fhir.get(f"/Observation?patient={patient}&_summary=count").json()["total"] == 0
    assert fhir.get(f"/Patient/{patient}").status_code == 200
    again = fhir.put(f"/{address}", json=created)
    assert (again.status_code, again.json()["meta"]["versionId"]) == (201, "4")


def test_what_was_deleted_before_can_be_erased(fhir: httpx.Client, patient: str) -> None:
    created = _create(fhir, _observation(patient))
    address = f"Observation/{created['id']}"
    fhir.delete(f"/{address}")
    assert fhir.get(f"/{address}/_history/1").status_code == 200
    assert _issues(fhir.post(f"/{address}/$purge"))[0][1] == "Erased with all versions: 1 Observation."
    _is_gone(fhir, address, 3)
    assert _issues(fhir.post(f"/{address}/$purge"))[0][1] == "Nothing was left to erase."


def test_of_a_patient_all_goes_that_is_the_patients_alone(fhir: httpx.Client, patient: str) -> None:
    other = _create(fhir, {"resourceType": "Patient"})["id"]
    binary = _create(fhir, {"resourceType": "Binary", "contentType": "text/plain", "data": "QUJD"})["id"]
    attachment = {"attachment": {"url": f"Binary/{binary}"}}
    letter = {"resourceType": "DocumentReference", "status": "current", "content": [attachment]}
    subject = {"subject": {"reference": f"Patient/{patient}"}}
    deleted = _create(fhir, _observation(patient))["id"]
    fhir.delete(f"/Observation/{deleted}")
    gone = {
        f"Observation/{_create(fhir, _observation(patient))['id']}": 2,
        f"Observation/{deleted}": 3,
        f"DocumentReference/{_create(fhir, {**letter, **subject})['id']}": 2,
        f"Binary/{binary}": 2,
        f"Patient/{patient}": 2,
    }
    member = [{"entity": {"reference": f"Patient/{one}"}} for one in (patient, other)]
    group = _create(fhir, {"resourceType": "Group", "type": "person", "actual": True, "member": member})["id"]
    reported = _create(fhir, _observation(other, performer=[{"reference": f"Patient/{patient}"}]))["id"]
    practitioner = _create(fhir, {"resourceType": "Practitioner"})["id"]
    answer = fhir.post(f"/Patient/{patient}/$purge")
    assert answer.status_code == 200, answer.text
    told = "Erased with all versions: 1 Binary, 1 DocumentReference, 2 Observation, 1 Patient."
    assert _issues(answer)[0] == ("information", told)
    kept = {issue["diagnostics"] for issue in answer.json()["issue"][1:]}
    assert kept == {f"Group/{group}", f"Observation/{reported}"}
    assert {issue["severity"] for issue in answer.json()["issue"][1:]} == {"warning"}
    for address, version in gone.items():
        _is_gone(fhir, address, version)
    for address in (*kept, f"Patient/{other}", f"Practitioner/{practitioner}"):
        assert fhir.get(f"/{address}").status_code == 200


def test_a_binary_of_somebody_elses_document_is_kept(fhir: httpx.Client, patient: str) -> None:
    other = _create(fhir, {"resourceType": "Patient"})["id"]
    binary = _create(fhir, {"resourceType": "Binary", "contentType": "text/plain", "data": "QUJD"})["id"]
    for owner, url in ((patient, f"Binary/{binary}"), (other, f"{fhir.base_url}Binary/{binary}")):
        letter = {"resourceType": "DocumentReference", "status": "current", "content": [{"attachment": {"url": url}}]}
        _create(fhir, {**letter, "subject": {"reference": f"Patient/{owner}"}})
    answer = fhir.post(f"/Patient/{patient}/$purge")
    assert [issue.get("diagnostics") for issue in answer.json()["issue"]] == [None, f"Binary/{binary}"]
    assert fhir.get(f"/Binary/{binary}").status_code == 200
    assert _issues(fhir.post(f"/Patient/{other}/$purge"))[0][1].startswith("Erased with all versions: 1 Binary,")


def test_a_kept_answer_does_not_bring_it_back(fhir: httpx.Client, patient: str) -> None:
    key = uuid.uuid4().hex
    body = _observation(patient)
    created = _create(fhir, body, **{"Idempotency-Key": key})
    repeated = fhir.post("/Observation", json=body, headers={"Idempotency-Key": key})
    assert (repeated.status_code, repeated.json()["id"]) == (201, created["id"])
    fhir.post(f"/Patient/{patient}/$purge")
    repeated = fhir.post("/Observation", json=body, headers={"Idempotency-Key": key})
    assert repeated.status_code == 410
    assert WORD not in repeated.text
    assert fhir.get(f"/Observation/{created['id']}").status_code == 410


def test_a_get_answers_405_and_an_unknown_id_404(fhir: httpx.Client, patient: str) -> None:
    assert fhir.get(f"/Patient/{patient}/$purge").status_code == 405
    assert fhir.get(f"/Patient/{patient}").status_code == 200
    assert fhir.post("/Patient/nobody/$purge").status_code == 404
    assert fhir.post("/Observation/nobody/$purge").status_code == 404
    assert fhir.post("/Patient/$purge").status_code == 404


@pytest.fixture
async def store(served: Served) -> Any:
    """A connection to the databases, which are one."""
    conn = await asyncpg.connect(served.ecluse("dsn").strip())
    yield conn
    await conn.close()


async def test_no_table_holds_a_word_of_it(fhir: httpx.Client, store: Any) -> None:
    word = "Zyx" + uuid.uuid4().hex[:12]
    body = {"resourceType": "Patient", "name": [{"family": word}], "identifier": [{"value": word}], "birthDate": "1951"}
    created = _create(fhir, body, **{"Idempotency-Key": word[3:]})
    observation = _observation(created["id"], code={"coding": [{"system": f"urn:{word}", "code": word}], "text": word})
    changed = _create(fhir, observation)
    fhir.put(f"/Observation/{changed['id']}", json={**changed, "valueString": word, "effectiveDateTime": "1952-02-02"})
    assert [name async for name in _holding(store, word)] != []
    assert fhir.post(f"/Patient/{created['id']}/$purge").status_code == 200
    assert [name async for name in _holding(store, word)] == []
    numbers = await store.fetch("SELECT pk FROM fhir.resource WHERE id = ANY ($1)", [created["id"], changed["id"]])
    for table in ("token", "reference", "string", "date", "superseded"):
        rows = await store.fetchval(
            f"SELECT count(*) FROM fhir.{table} WHERE pk = ANY ($1)", [row["pk"] for row in numbers]
        )
        assert rows == 0, table


async def _holding(store: Any, word: str) -> Any:
    """The columns of all tables that hold the word, whatever its case."""
    columns = await store.fetch(
        "SELECT table_schema, table_name, column_name, data_type FROM information_schema.columns c "
        "JOIN information_schema.tables USING (table_schema, table_name) WHERE table_type = 'BASE TABLE' "
        "AND table_schema NOT IN ('pg_catalog', 'information_schema') "
        "AND data_type IN ('text', 'character varying', 'bytea', 'jsonb', 'json')"
    )
    assert len(columns) > 100
    for schema, table, column, kind in columns:
        text = f"encode(\"{column}\", 'escape')" if kind == "bytea" else f'"{column}"::text'
        query = f'SELECT count(*) FROM "{schema}"."{table}" WHERE strpos(lower({text}), lower($1)) > 0'
        if await store.fetchval(query, word):
            yield f"{schema}.{table}.{column}"

"""$reindex: search rows are what the stored bodies say, while others write."""

from __future__ import annotations

import json
import time
import uuid
from typing import Any

import httpx

from mappers.search.rows import GENERATION
from tests.services.server import Served
from tests.spec.search import hits


def _patients(fhir: httpx.Client, family: str, count: int) -> list[str]:
    body = {
        "resourceType": "Patient",
        "name": [{"family": family}],
        "birthDate": "1950",
        "identifier": [{"value": family}],
    }
    return [fhir.post("/Patient", json=body).json()["id"] for _ in range(count)]


async def _break(store: Any, ids: list[str]) -> None:
    """Takes rows away, and adds some that no body says."""
    rows = await store.fetch("SELECT pk, site FROM fhir.resource WHERE id = ANY ($1)", ids)
    pks = [row["pk"] for row in rows]
    for table in ("string", "token", "date"):
        await store.execute(f"DELETE FROM fhir.{table} WHERE pk = ANY ($1)", pks)
    await store.executemany(
        "INSERT INTO fhir.string (pk, site, path, folded, exact) SELECT $1, $2, path, 'wrongname', 'Wrongname' FROM "
        "(SELECT DISTINCT path FROM fhir.string) p",
        [(row["pk"], row["site"]) for row in rows],
    )


def _wait(fhir: httpx.Client, answer: httpx.Response) -> str:
    assert answer.status_code == 202, answer.text
    deadline = time.monotonic() + 60
    while time.monotonic() < deadline:
        told = fhir.get(answer.headers["content-location"])
        if told.status_code == 200:
            text: str = told.json()["issue"][0]["details"]["text"]
            return text
        assert told.status_code == 202
        assert " of " in told.headers["x-progress"]
    raise AssertionError("the work did not end")


async def test_the_rows_of_a_type_are_put_right(fhir: httpx.Client, store: Any) -> None:
    family = "Reix" + uuid.uuid4().hex[:10]
    ids = _patients(fhir, family, 230)
    await _break(store, ids[:-1])
    assert hits(fhir, f"/Patient?family={family}") == ids[-1:]
    assert len(hits(fhir, "/Patient?family=wrongname&_count=1000")) == 229
    text = _wait(fhir, fhir.post("/Patient/$reindex"))
    assert text.startswith("Done: ")
    assert "229 put right" in text
    assert hits(fhir, f"/Patient?family={family}&_count=1000") == ids
    assert len(hits(fhir, f"/Patient?identifier={family}&birthdate=1950&_count=1000")) == 230
    assert hits(fhir, "/Patient?family=wrongname") == []
    assert " 0 put right" in _wait(fhir, fhir.post("/Patient/$reindex"))


async def test_a_release_compares_all_by_itself(fhir: httpx.Client, served: Served, store: Any) -> None:
    family = "Reir" + uuid.uuid4().hex[:10]
    ids = _patients(fhir, family, 3)
    await _break(store, ids)
    await store.execute("DELETE FROM fhir.reindex WHERE starts_with(id, 'release-')")
    await store.execute("UPDATE fhir.search_rows SET generation = 0")
    deadline = time.monotonic() + 60
    while json.loads(served.ecluse("status", "--json"))["search_rows"]["behind"] and time.monotonic() < deadline:
        fhir.get("/metadata")
    assert hits(fhir, f"/Patient?family={family}") == ids
    asked = fhir.get(f"/$reindex-status?job=release-{GENERATION}-default")
    assert asked.json()["issue"][0]["details"]["text"].startswith("Done: ")
    cancelled = fhir.post(f"/$reindex-cancel?job=release-{GENERATION}-default")
    assert (cancelled.status_code, cancelled.json()["issue"][0]["code"]) == (409, "conflict")


async def test_a_deleted_resource_leaves_no_row_of_any_release(fhir: httpx.Client, store: Any) -> None:
    ids = _patients(fhir, "Reid" + uuid.uuid4().hex[:10], 1)
    other = "Other" + uuid.uuid4().hex[:10]
    await store.execute(
        "INSERT INTO fhir.string (pk, site, path, folded, exact) SELECT pk, site, path, lower($2), $2 FROM fhir.string "
        "WHERE pk = (SELECT pk FROM fhir.resource WHERE id = $1)",
        *(ids[0], other),
    )
    assert hits(fhir, f"/Patient?family={other}") == ids
    assert fhir.delete(f"/Patient/{ids[0]}").status_code == 204
    assert hits(fhir, f"/Patient?family={other}") == []


async def test_what_is_written_meanwhile_is_found(fhir: httpx.Client, store: Any) -> None:
    family = "Reiw" + uuid.uuid4().hex[:10]
    ids = _patients(fhir, family, 60)
    await _break(store, ids)
    answer = fhir.post("/$reindex")
    for number, patient in enumerate(ids[:40]):
        if number % 2:
            assert fhir.delete(f"/Patient/{patient}").status_code == 204
        else:
            body = {"resourceType": "Patient", "id": patient, "name": [{"family": family, "given": ["Neu"]}]}
            assert fhir.put(f"/Patient/{patient}", json=body).status_code == 200
    late = _patients(fhir, family, 3)
    assert _wait(fhir, answer).startswith("Done: ")
    expected = [patient for number, patient in enumerate(ids) if number >= 40 or not number % 2] + late
    assert sorted(hits(fhir, f"/Patient?family={family}&_count=1000")) == sorted(expected)
    assert len(hits(fhir, f"/Patient?family={family}&given=neu&_count=1000")) == 20


async def test_one_resource_is_put_right_at_once(fhir: httpx.Client, store: Any) -> None:
    family = "Reio" + uuid.uuid4().hex[:10]
    ids = _patients(fhir, family, 1)
    await _break(store, ids)
    assert hits(fhir, f"/Patient?family={family}") == []
    answer = fhir.post(f"/Patient/{ids[0]}/$reindex")
    assert (answer.status_code, answer.json()["issue"][0]["severity"]) == (200, "information")
    assert "put right" in answer.json()["issue"][0]["details"]["text"]
    assert hits(fhir, f"/Patient?family={family}") == ids
    assert "were right" in fhir.post(f"/Patient/{ids[0]}/$reindex").json()["issue"][0]["details"]["text"]
    assert fhir.post("/Patient/nobody/$reindex").status_code == 404


def test_a_request_can_be_cancelled(fhir: httpx.Client) -> None:
    address = fhir.post("/$reindex").headers["content-location"]
    answer = fhir.post(address.replace("$reindex-status", "$reindex-cancel"))
    assert answer.status_code == 200
    assert answer.json()["issue"][0]["details"]["text"].startswith(("Cancelled", "Done"))


def test_an_unknown_request_answers_404_and_none_400(fhir: httpx.Client) -> None:
    assert fhir.get("/$reindex-status?job=nothing").status_code == 404
    assert fhir.get("/$reindex-status").status_code == 400
    assert fhir.get("/Patient/$reindex").status_code == 405

"""Identifiers that only one resource of a type in a site may have."""

from __future__ import annotations

import concurrent.futures
import uuid
from typing import Any

import asyncpg
import httpx
import pytest

from tests.services.server import Served
from tests.spec.search import hits
from tests.spec.search_parameters import fresh, made, parameter, settled

UNIQUE = [{"url": "urn:ecluse:StructureDefinition:unique", "valueBoolean": True}]


@pytest.fixture
async def store(served: Served) -> Any:
    """A connection to the store."""
    conn = await asyncpg.connect(served.ecluse("dsn").strip())
    yield conn
    await conn.close()


class Numbers:
    """A system of identifiers that is unique at a site, of a test's own."""

    def __init__(self, fhir: httpx.Client) -> None:
        self.fhir = fhir
        self.system = f"urn:numbers:{uuid.uuid4().hex}"
        self.code = fresh("number")
        expression = f"Patient.identifier.where(system = '{self.system}')"
        self.id = made(fhir, parameter(self.code, expression, extension=UNIQUE))

    def body(self, value: str, **members: Any) -> dict[str, Any]:
        """A Patient with this number."""
        return {"resourceType": "Patient", "identifier": [{"system": self.system, "value": value}], **members}

    def post(self, value: str) -> httpx.Response:
        """What comes of a new Patient with this number."""
        return self.fhir.post("/Patient", json=self.body(value))

    def put(self, own: str, value: str) -> httpx.Response:
        """What comes of giving it to a Patient."""
        return self.fhir.put(f"/Patient/{own}", json=self.body(value, id=own))


def test_a_second_resource_with_the_value_is_refused_and_the_first_one_named(fhir: httpx.Client) -> None:
    numbers = Numbers(fhir)
    first = numbers.post("1").json()["id"]
    answer = numbers.post("1")
    assert answer.status_code == 409, answer.text
    issue = answer.json()["issue"][0]
    assert issue["code"] == "duplicate"
    assert f"Patient/{first} has this value already" in issue["details"]["text"]
    assert f"SearchParameter/{numbers.id}" in issue["diagnostics"]
    second = numbers.post("2").json()["id"]
    assert numbers.put(second, "1").status_code == 409
    assert numbers.put(second, "3").status_code == 200
    assert hits(fhir, f"/Patient?{numbers.code}={numbers.system}|1") == [first]


def test_the_value_is_free_again_after_an_update_a_delete_and_an_erasure(fhir: httpx.Client) -> None:
    numbers = Numbers(fhir)
    first = numbers.post("1").json()["id"]
    assert numbers.put(first, "2").status_code == 200
    second = numbers.post("1").json()["id"]
    assert fhir.delete(f"/Patient/{second}").status_code == 204
    third = numbers.post("1").json()["id"]
    assert numbers.put(second, "1").status_code == 409
    assert fhir.post(f"/Patient/{third}/$purge").status_code == 200
    assert numbers.post("1").status_code == 201
    assert numbers.put(first, "2").status_code == 200


def test_other_systems_and_other_sites_do_not_count(fhir: httpx.Client, other_site: httpx.Client) -> None:
    numbers = Numbers(fhir)
    assert numbers.post("1").status_code == 201
    other = {
        "resourceType": "Patient",
        "identifier": [{"system": "urn:else", "value": "1"}, {"system": numbers.system}],
    }
    assert fhir.post("/Patient", json=other).status_code == 201
    assert fhir.post("/Patient", json=other).status_code == 201
    assert other_site.post("/Patient", json=numbers.body("1")).status_code == 201
    assert other_site.post("/Patient", json=numbers.body("1")).status_code == 201


def test_of_many_at_once_one_gets_the_value(fhir: httpx.Client) -> None:
    numbers = Numbers(fhir)
    with concurrent.futures.ThreadPoolExecutor(16) as pool:
        answers = list(pool.map(lambda _: numbers.post("1").status_code, range(32)))
    assert sorted(answers) == [201] + [409] * 31
    assert len(hits(fhir, f"/Patient?{numbers.code}={numbers.system}|1")) == 1


def test_a_transaction_may_hand_a_value_on_and_may_not_double_it(fhir: httpx.Client) -> None:
    numbers = Numbers(fhir)
    first = numbers.post("1").json()["id"]

    def transaction(*entries: tuple[str, str, dict[str, Any]]) -> httpx.Response:
        listed = [{"resource": body, "request": {"method": method, "url": url}} for method, url, body in entries]
        return fhir.post("", json={"resourceType": "Bundle", "type": "transaction", "entry": listed})

    handed = transaction(
        ("POST", "Patient", numbers.body("1")), ("PUT", f"Patient/{first}", numbers.body("2", id=first))
    )
    assert handed.status_code == 200, handed.text
    doubled = transaction(("POST", "Patient", numbers.body("5")), ("POST", "Patient", numbers.body("5")))
    assert doubled.status_code == 409
    assert numbers.post("5").status_code == 201


def test_what_is_double_already_fails_with_a_list(fhir: httpx.Client) -> None:
    system, code = f"urn:double:{uuid.uuid4().hex}", fresh("double")
    body = {"resourceType": "Patient", "identifier": [{"system": system, "value": "77"}]}
    ids = [fhir.post("/Patient", json=body).json()["id"] for _ in range(2)]
    resource = parameter(code, f"Patient.identifier.where(system = '{system}')", extension=UNIQUE)
    own = fhir.post("/SearchParameter", json=resource).json()["id"]
    found = settled(fhir, own)
    assert found["state"] == "failed"
    assert all(f"Patient/{one}" in found["reason"] for one in ids)
    assert "77: " in found["reason"]
    assert fhir.post("/Patient", json=body).status_code == 201
    for one in hits(fhir, f"/Patient?identifier={system}|77")[1:]:
        assert fhir.delete(f"/Patient/{one}").status_code == 204
    again = {**resource, "id": own, "description": "Once more"}
    assert fhir.put(f"/SearchParameter/{own}", json=again).status_code == 200
    assert settled(fhir, own)["state"] == "active"
    assert fhir.post("/Patient", json=body).status_code == 409


async def test_a_path_of_r4_can_be_unique_too_and_is_free_when_the_parameter_goes(
    fhir: httpx.Client, store: asyncpg.Connection
) -> None:
    kind = "EnrollmentRequest"  # of which no other test makes two that are alike
    value = uuid.uuid4().hex
    body = {"resourceType": kind, "identifier": [{"system": "urn:b", "value": value}]}
    assert fhir.post(f"/{kind}", json=body).status_code == 201
    code = fresh("enrolled")
    own = made(fhir, parameter(code, f"{kind}.identifier", base=[kind], extension=UNIQUE))
    assert fhir.post(f"/{kind}", json=body).status_code == 409
    assert fhir.delete(f"/SearchParameter/{own}").status_code == 204
    assert fhir.post(f"/{kind}", json=body).status_code == 201
    gone = f"SELECT count(*) FROM fhir.claim c WHERE c.code = '{value}'"
    code = fresh("other")
    made(fhir, parameter(code, "Patient.extension('urn:o').value.as(Coding)"))  # built after the claims were removed
    assert await store.fetchval(gone) == 0

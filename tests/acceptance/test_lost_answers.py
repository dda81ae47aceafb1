"""Connections that are cut around a commit: what is told is what was done, once."""

from __future__ import annotations

import asyncio
import time
import uuid
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager
from typing import Any

import asyncpg
import httpx
import pytest

from tests.services.cutting import AFTER, BEFORE, STATEMENT, Cutting
from tests.services.server import Served, serving
from tests.spec.search import hits
from tests.spec.test_transaction import bundle, post, put

WITHIN_S = 20.0
LOCK = "SELECT FROM fhir.resource WHERE id = $1 FOR UPDATE"


@pytest.fixture(scope="module")
def cutting(empty_database_url: str) -> Iterator[Cutting]:
    """What stands between the server and its database."""
    with Cutting(empty_database_url) as cutting:
        yield cutting


@pytest.fixture(scope="module")
def served(cutting: Cutting, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Served]:
    """A server that reaches its database through it."""
    with serving(tmp_path_factory.mktemp("data"), ECLUSE_DATABASE_URL=cutting.url) as served:
        yield served


@pytest.fixture
def fhir(served: Served) -> Iterator[httpx.Client]:
    """A client of the server."""
    with httpx.Client(base_url=f"{served.url}/fhir", timeout=60) as client:
        yield client


def patient(marker: str, **more: Any) -> dict[str, Any]:
    return {"resourceType": "Patient", "identifier": [{"value": marker}], **more}


def sent(client: httpx.Client, way: str, marker: str, **headers: str) -> httpx.Response:
    """A write of one patient."""
    if way == "create":
        return client.post("/Patient", json=patient(marker), headers=headers)
    if way == "update":
        return client.put(f"/Patient/{marker}", json=patient(marker, id=marker), headers=headers)
    return client.post("/", json=bundle(post(patient(marker)), post({"resourceType": "Device"})), headers=headers)


def versions(client: httpx.Client, marker: str) -> list[int]:
    """How many versions each patient with this marker has."""
    return [
        client.get(f"/Patient/{one}/_history").json()["total"] for one in hits(client, f"/Patient?identifier={marker}")
    ]


WAYS = ("create", "update", "transaction")


@pytest.mark.parametrize("way", WAYS)
def test_a_connection_cut_in_a_transaction_is_tried_again(fhir: httpx.Client, cutting: Cutting, way: str) -> None:
    marker = str(uuid.uuid4())
    with cutting.cutting(STATEMENT, times=2) as cut:
        answer = sent(fhir, way, marker)
    assert cut.times == 0
    assert answer.status_code in (200, 201), answer.text
    assert versions(fhir, marker) == [1]


@pytest.mark.parametrize("way", WAYS)
def test_what_is_cut_again_and_again_is_told_as_not_written(fhir: httpx.Client, cutting: Cutting, way: str) -> None:
    marker = str(uuid.uuid4())
    with cutting.cutting(STATEMENT, times=1000):
        answer = sent(fhir, way, marker, **{"Idempotency-Key": marker})
    assert answer.status_code == 503
    assert answer.headers["retry-after"]
    assert "nothing was written" in answer.json()["issue"][0]["details"]["text"]
    written_now(fhir, way, marker)


@pytest.mark.parametrize("away", [False, True])
@pytest.mark.parametrize("way", WAYS)
def test_a_commit_that_never_arrived_is_not_told_as_done(
    fhir: httpx.Client, cutting: Cutting, way: str, away: bool
) -> None:
    marker = str(uuid.uuid4())
    with cutting.cutting(BEFORE, away=away):
        answer = sent(fhir, way, marker, **{"Idempotency-Key": marker})
    assert answer.status_code == 503
    assert "Idempotency-Key" in answer.json()["issue"][0]["details"]["text"]
    written_now(fhir, way, marker)


@pytest.mark.parametrize("way", WAYS)
def test_a_commit_whose_answer_was_lost_is_found_and_told(fhir: httpx.Client, cutting: Cutting, way: str) -> None:
    marker = str(uuid.uuid4())
    with cutting.cutting(AFTER) as cut:
        answer = sent(fhir, way, marker)
    assert cut.times == 0
    assert answer.status_code in (200, 201), answer.text
    assert versions(fhir, marker) == [1]


@pytest.mark.parametrize("way", WAYS)
def test_a_commit_that_cannot_be_found_now_is_found_by_its_key(fhir: httpx.Client, cutting: Cutting, way: str) -> None:
    marker = str(uuid.uuid4())
    with cutting.cutting(AFTER, away=True):
        answer = sent(fhir, way, marker, **{"Idempotency-Key": marker})
    assert answer.status_code == 503
    again = sent(fhir, way, marker, **{"Idempotency-Key": marker})
    assert again.status_code in (200, 201)
    assert again.headers["x-ecluse-repeated"] == "true"
    assert versions(fhir, marker) == [1]


def written_now(client: httpx.Client, way: str, marker: str) -> None:
    """Nothing stands of a request that failed; sent again under its key it is written, once."""
    assert versions(client, marker) == []
    for repeated in (None, "true"):
        again = sent(client, way, marker, **{"Idempotency-Key": marker})
        assert again.status_code in (200, 201)
        assert again.headers.get("x-ecluse-repeated") == repeated
    assert versions(client, marker) == [1]


async def test_the_loser_of_a_deadlock_is_tried_again(fhir: httpx.Client, empty_database_url: str) -> None:
    first, second = sorted(str(uuid.uuid4()) for _ in range(2))
    both = [put({"resourceType": "Patient", "id": one}) for one in (first, second)]
    fhir.post("/", json=bundle(*both))
    for entry in both:
        entry["resource"]["active"] = True
    async with other_writer(empty_database_url) as other:
        await other.execute(LOCK, second)
        sending = asyncio.create_task(asyncio.to_thread(fhir.post, "/", json=bundle(*both)))
        await waiter(empty_database_url)
        await other.execute(LOCK, first)
        await other.execute("COMMIT")
        answer = await sending
    assert answer.status_code == 200, answer.text
    assert [fhir.get(f"/Patient/{one}").headers["etag"] for one in (first, second)] == ['W/"2"', 'W/"2"']


async def test_a_backend_that_is_terminated_in_the_middle_is_replaced(
    fhir: httpx.Client, empty_database_url: str
) -> None:
    name = str(uuid.uuid4())
    fhir.put(f"/Patient/{name}", json={"resourceType": "Patient", "id": name})
    body = bundle(put({"resourceType": "Patient", "id": name, "active": True}), post({"resourceType": "Device"}))
    async with other_writer(empty_database_url) as other:
        await other.execute(LOCK, name)
        sending = asyncio.create_task(asyncio.to_thread(fhir.post, "/", json=body))
        await other.execute("SELECT pg_terminate_backend($1)", await waiter(empty_database_url))
        await other.execute("COMMIT")
        answer = await sending
    assert answer.status_code == 200, answer.text
    assert fhir.get(f"/Patient/{name}").headers["etag"] == 'W/"2"'


@asynccontextmanager
async def other_writer(url: str) -> AsyncIterator[asyncpg.Connection]:
    """A connection in a transaction, beside the server."""
    conn = await asyncpg.connect(url)
    await conn.execute("BEGIN")
    yield conn
    await conn.close()


async def waiter(url: str) -> int:
    """The backend of the server that waits for a row, once there is one."""
    conn = await asyncpg.connect(url)
    deadline = time.monotonic() + WITHIN_S
    pid = None
    while pid is None and time.monotonic() < deadline:
        await asyncio.sleep(0.02)
        pid = await conn.fetchval(
            "SELECT pid FROM pg_stat_activity WHERE wait_event_type = 'Lock' AND datname = current_database()"
        )
    await conn.close()
    assert pid is not None, "nobody waits for a lock"
    return int(pid)

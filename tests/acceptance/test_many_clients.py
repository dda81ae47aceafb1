"""Many clients on the same few resources: nothing acknowledged is lost, nothing is written that nobody was told of.

ECLUSE_TEST_SECONDS and ECLUSE_TEST_CLIENTS make it longer: 30 s and 64 clients by hand."""

from __future__ import annotations

import asyncio
import os
import random
import time
import uuid
from collections import Counter, defaultdict
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import asyncpg
import httpx
import pytest

from tests.services.postgres import Postgres
from tests.services.server import Served, serving

SECONDS = float(os.environ.get("ECLUSE_TEST_SECONDS", "4"))
CLIENTS = int(os.environ.get("ECLUSE_TEST_CLIENTS", "64"))
RESOURCES = 50
EXPECTED = {200, 201, 204, 404, 410, 412}
"""409 too would be honest, but there is no reason for one here."""


@pytest.fixture(scope="module")
def database_url(postgres: Postgres) -> Iterator[str]:
    """A database that only these clients write."""
    with postgres.database("template0") as url:
        yield url


@pytest.fixture(scope="module")
def shared(database_url: str, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Served]:
    """A server of two processes."""
    data: Path = tmp_path_factory.mktemp("many")
    with serving(data, ECLUSE_DATABASE_URL=database_url, ECLUSE_WORKERS="2") as served:
        yield served


class Books:
    """What the clients were told."""

    def __init__(self) -> None:
        self.versions: dict[str, list[int]] = defaultdict(list)
        """By resource, each version that an answer said it had made or found."""
        self.statuses: Counter[tuple[str, int]] = Counter()
        self.created: dict[str, str] = {}
        """Identifier → id, of the resources that conditional writes made."""


async def _life(client: httpx.AsyncClient, books: Books, ids: list[str], seed: int, until: float) -> None:
    """One client: it writes this way and that until the time is over."""
    chance = random.Random(seed)
    step = 0
    while time.monotonic() < until:
        step += 1
        resource_id, mark = chance.choice(ids), f"{seed}-{step}"
        answer = await chance.choice(WRITES)(client, resource_id, mark)
        books.statuses[answer.request.method, answer.status_code] += 1
        assert answer.status_code in EXPECTED, (answer.status_code, answer.text)
        if answer.status_code < 300 and "etag" in answer.headers:
            version = int(answer.headers["etag"].removeprefix('W/"').rstrip('"'))
            name = answer.headers.get("location", f"/{resource_id}/_history/").split("/")[-3] or resource_id
            books.versions[name].append(version)


def _patient(resource_id: str, mark: str) -> dict[str, Any]:
    return {
        "resourceType": "Patient",
        "id": resource_id,
        "identifier": [{"system": "urn:many", "value": resource_id}],
        "name": [{"family": mark}],
    }


async def _update(client: httpx.AsyncClient, resource_id: str, mark: str) -> httpx.Response:
    return await client.put(f"/Patient/{resource_id}", json=_patient(resource_id, mark))


async def _update_again(client: httpx.AsyncClient, resource_id: str, mark: str) -> httpx.Response:
    return await client.put(f"/Patient/{resource_id}", json=_patient(resource_id, "always the same"))


async def _guarded_update(client: httpx.AsyncClient, resource_id: str, mark: str) -> httpx.Response:
    read = await client.get(f"/Patient/{resource_id}")
    return await client.put(
        f"/Patient/{resource_id}",
        json=_patient(resource_id, mark),
        headers={"If-Match": read.headers.get("etag", 'W/"1"')},
    )


async def _patch(client: httpx.AsyncClient, resource_id: str, mark: str) -> httpx.Response:
    patch = [{"op": "add", "path": "/name/0/text", "value": mark}]
    return await client.patch(
        f"/Patient/{resource_id}", json=patch, headers={"Content-Type": "application/json-patch+json"}
    )


async def _conditional_patch(client: httpx.AsyncClient, resource_id: str, mark: str) -> httpx.Response:
    return await client.patch(
        f"/Patient?identifier=urn:many|{resource_id}",
        json={"language": "fr", "name": [{"family": mark}]},
        headers={"Content-Type": "application/merge-patch+json"},
    )


async def _conditional_update(client: httpx.AsyncClient, resource_id: str, mark: str) -> httpx.Response:
    address = f"/Patient?identifier=urn:many|{resource_id}"
    return await client.put(address, json=_patient(resource_id, mark))


async def _delete(client: httpx.AsyncClient, resource_id: str, mark: str) -> httpx.Response:
    return await client.delete(f"/Patient/{resource_id}")


async def _conditional_delete(client: httpx.AsyncClient, resource_id: str, mark: str) -> httpx.Response:
    return await client.delete(f"/Patient?identifier=urn:many|{resource_id}")


async def _bundle(client: httpx.AsyncClient, resource_id: str, mark: str) -> httpx.Response:
    """A transaction whose one entry updates, told as that entry was."""
    entry = {"resource": _patient(resource_id, mark), "request": {"method": "PUT", "url": f"Patient/{resource_id}"}}
    answer = await client.post("/", json={"resourceType": "Bundle", "type": "transaction", "entry": [entry]})
    if answer.status_code == 200:
        response = answer.json()["entry"][0]["response"]
        answer.headers.update({"etag": response["etag"], "location": f"/Patient/{resource_id}/_history/1"})
    return answer


WRITES = [
    _update,
    _update,
    _update_again,
    _guarded_update,
    _patch,
    _patch,
    _conditional_patch,
    _conditional_update,
    _delete,
    _conditional_delete,
    _bundle,
]


async def _all(url: str, books: Books, ids: list[str]) -> None:
    until = time.monotonic() + SECONDS
    limits = httpx.Limits(max_connections=CLIENTS)
    async with httpx.AsyncClient(base_url=f"{url}/fhir", timeout=60, limits=limits) as client:
        await asyncio.gather(*(_life(client, books, ids, seed, until) for seed in range(CLIENTS)))


def _history(client: httpx.Client, resource_id: str) -> list[int]:
    """The versions of a resource, newest first, page by page."""
    found: list[int] = []
    url = f"/Patient/{resource_id}/_history?_count=500"
    while url:
        answer = client.get(url)
        if answer.status_code == 404:
            return []
        page = answer.json()
        found += [int(entry["response"]["etag"].removeprefix('W/"').rstrip('"')) for entry in page["entry"]]
        url = next((link["url"] for link in page["link"] if link["relation"] == "next"), "")
    return found


async def _events(database_url: str) -> dict[str, list[int]]:
    conn = await asyncpg.connect(database_url)
    rows = await conn.fetch(
        """SELECT r.id, o.version FROM bus.outbox o JOIN fhir.resource r ON r.pk = o.pk AND r.type = o.type
        ORDER BY o.seq"""
    )
    await conn.close()
    found: dict[str, list[int]] = defaultdict(list)
    for row in rows:
        found[row["id"]].append(row["version"])
    return found


async def test_versions_have_no_gaps_and_history_acknowledged_writes_and_events_are_the_same(
    shared: Served, database_url: str
) -> None:
    ids, books = [str(uuid.uuid4()) for _ in range(RESOURCES)], Books()
    await _all(shared.url, books, ids)
    assert not [key for key in books.statuses if key[1] >= 500]
    assert sum(books.statuses.values()) > CLIENTS
    assert {method for method, status in books.statuses if status < 300} == {"PUT", "PATCH", "DELETE", "POST"}
    events = await _events(database_url)
    written = 0
    with httpx.Client(base_url=f"{shared.url}/fhir", timeout=60) as client:
        for resource_id in ids:
            versions = _history(client, resource_id)
            assert versions == list(range(len(versions), 0, -1))
            assert sorted(set(books.versions[resource_id])) == versions[::-1]
            assert events[resource_id] == versions[::-1]
            written += len(versions)
        whole = client.get("/Patient/_history?_count=0").json()["total"]
    assert (whole, sum(map(len, events.values()))) == (written, written)
    print(f"{sum(books.statuses.values())} requests, {written} versions: {dict(books.statuses)}")

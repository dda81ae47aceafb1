"""The same bundles through the embedded log and through real Kafka: the same OMOP tables, hits and decrypted feed.

The second server has a database of its own for store, warehouse and hub. Both share the identities and the hub's master
key, so that pseudonyms and date shifts are the same and feeds can be compared whole.
"""

from __future__ import annotations

import json
import secrets
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import asyncpg
import httpx
import pytest

from tests.integration.warehouse.state import state
from tests.services.postgres import Postgres
from tests.services.server import Served, serving

QUERIES = ("fièvre", "fievre", '"pas de"', "douleur*", "douleur -thoracique", "antécédents")


@pytest.fixture(scope="module")
def pair(
    postgres: Postgres, kafka: str, hub_folder: Path, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[tuple[Served, Served]]:
    """(a server on the embedded log, a server on Kafka), both loaded with the same patients."""
    folder = tmp_path_factory.mktemp("pair")
    (folder / "master.key").write_bytes(secrets.token_bytes(32))
    (folder / "master.key").chmod(0o600)
    with ExitStack() as stack:
        names = ("one", "identity", "store", "warehouse", "hub")
        urls = {name: stack.enter_context(postgres.database("template0")) for name in names}
        common = {
            "ECLUSE_IDENTITY_URL": urls["identity"],
            "ECLUSE_HUB_PROJECTS": str(hub_folder),
            "ECLUSE_HUB_MASTER_KEY_FILE": str(folder / "master.key"),
        }
        apart = {f"ECLUSE_{name.upper()}_URL": urls[name] for name in ("warehouse", "hub")}
        bus = {
            "ECLUSE_BUS": "kafka",
            "ECLUSE_KAFKA_BOOTSTRAP": kafka,
            "ECLUSE_KAFKA_PREFIX": f"pair-{secrets.token_hex(4)}.",
            "ECLUSE_KAFKA_PARTITIONS": "2",
        }
        embedded = stack.enter_context(serving(folder / "one", "up", ECLUSE_DATABASE_URL=urls["one"], **common))
        on_kafka = stack.enter_context(
            serving(folder / "two", "up", ECLUSE_DATABASE_URL=urls["store"], **common, **apart, **bus)
        )
        yield embedded, on_kafka


def named_by_the_sender(bundle: dict[str, Any]) -> dict[str, Any]:
    """The same transaction with ids of the sender's, so that two servers store the same resources."""
    for entry in bundle["entry"]:
        resource = entry["resource"]
        resource["id"] = entry["fullUrl"].removeprefix("urn:uuid:")
        entry["request"] = {"method": "PUT", "url": f"{resource['resourceType']}/{resource['id']}"}
    return bundle


def load(served: Served, folder: Path) -> None:
    """Patients in, then some of their resources changed and some deleted."""
    files = sorted(folder.rglob("*.json"), key=lambda file: (file.name.startswith("patient"), file.name))
    with httpx.Client(base_url=f"{served.url}/fhir", timeout=120) as client:
        measured: list[dict[str, Any]] = []
        for file in files:
            bundle = named_by_the_sender(json.loads(file.read_bytes()))
            answer = client.post("/", json=bundle)
            assert answer.status_code == 200, answer.text[:2000]
            resources = (entry["resource"] for entry in bundle["entry"])
            measured += [resource for resource in resources if resource["resourceType"] == "Observation"]
        for place, observation in enumerate(measured[::9]):
            url = f"/Observation/{observation['id']}"
            if place % 2:
                assert client.delete(url).status_code == 204
            else:
                stored = client.get(url).json()
                assert client.put(url, json={**stored, "status": "amended"}).status_code == 200
    served.ecluse("wait", "--timeout", "300", timeout_s=320)


@pytest.fixture(scope="module")
def loaded(pair: tuple[Served, Served], patients: Path) -> tuple[Served, Served]:
    """The pair with everything in every sink."""
    for served in pair:
        load(served, patients)
    return pair


async def omop(served: Served) -> dict[str, list[Any]]:
    conn = await asyncpg.connect(served.ecluse("dsn", "warehouse").strip())
    try:
        return await state(conn)
    finally:
        await conn.close()


def feed(served: Served, hub_folder: Path) -> list[str]:
    served.ecluse("hub", "export", "trial", "--out", str(served.log.parent / "feed.jsonl"))
    key = str(hub_folder.parent / "recipient.jwk")
    return sorted(
        served.ecluse("hub", "decrypt", "--key", key, "--last-state", str(served.log.parent / "feed.jsonl")).split("\n")
    )


@pytest.mark.kafka
async def test_the_warehouses_are_equal(loaded: tuple[Served, Served]) -> None:
    first, second = [await omop(served) for served in loaded]
    assert len(first["measurement"]) > 300
    assert first == second


@pytest.mark.kafka
@pytest.mark.parametrize("query", QUERIES)
def test_searches_find_the_same_reports(loaded: tuple[Served, Served], query: str) -> None:
    answers = [httpx.get(f"{s.url}/search", params={"q": query, "count": 100, "format": "json"}).json() for s in loaded]
    keys = [sorted(str(hit["key"]) for hit in answer["hits"]) for answer in answers]
    assert answers[0]["total"] > 0
    assert (answers[0]["total"], keys[0]) == (answers[1]["total"], keys[1])


@pytest.mark.kafka
def test_the_decrypted_feeds_end_in_the_same_state(loaded: tuple[Served, Served], hub_folder: Path) -> None:
    first, second = (feed(served, hub_folder) for served in loaded)
    assert len(first) > 300
    assert first == second


@pytest.mark.kafka
def test_the_books_balance_on_both(loaded: tuple[Served, Served]) -> None:
    for served in loaded:
        consumers = json.loads(served.ecluse("status", "--json"))["consumers"]
        assert len(consumers) == 3
        assert all(consumer["balanced"] and not consumer["dead"] for consumer in consumers), consumers

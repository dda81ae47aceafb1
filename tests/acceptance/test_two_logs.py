"""The same bundles through the embedded log and through real Kafka: the same OMOP tables, hits and decrypted feed.

The second server has a database of its own for store, warehouse and hub, and two processes of the warehouse and of the
feed, of which the leading ones are killed in the middle of the load. Both share the identities and the hub's master
key, so that pseudonyms and date shifts are the same and feeds can be compared whole.
"""

from __future__ import annotations

import json
import secrets
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Any

import asyncpg
import httpx
import psutil
import pytest

from tests.integration.warehouse.state import state
from tests.services.postgres import Postgres
from tests.services.server import Served, serving

SHARED = ("warehouse", "hub-trial")
SHARE_WITHIN_S = 120
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
            "ECLUSE_WORKERS": "2",
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
        for name in SHARED:
            stack.enter_context(beside(on_kafka, name))
        yield embedded, on_kafka


@contextmanager
def beside(served: Served, consumer: str) -> Iterator[None]:
    """One more process of a consumer, which has its share of the partitions."""
    log = served.log.parent / f"{consumer}.log"
    with log.open("wb") as out:
        command = [sys.executable, "-m", "ecluse", "consume", consumer]
        process = subprocess.Popen(command, env=served.environment, stdout=out, stderr=out)
    try:
        deadline = time.monotonic() + SHARE_WITHIN_S
        while "partitions assigned" not in log.read_text():
            assert time.monotonic() < deadline, log.read_text()
            time.sleep(0.1)
        yield
    finally:
        process.terminate()
        process.wait(30)


def leading(served: Served, consumer: str) -> psutil.Process:
    """The process that `ecluse up` has started, the first of this consumer."""
    children = psutil.Process(served.process.pid).children(recursive=True)
    return next(child for child in children if child.cmdline()[-2:] == ["consume", consumer])


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
        for place, file in enumerate(files):
            if place == len(files) // 2 and served.environment.get("ECLUSE_BUS") == "kafka":
                for process in [leading(served, name) for name in SHARED]:  # found before any of them is a zombie
                    process.send_signal(signal.SIGKILL)
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


@pytest.mark.kafka
async def test_both_processes_of_a_consumer_have_taken_part(loaded: tuple[Served, Served]) -> None:
    _, on_kafka = loaded
    consumers = json.loads(on_kafka.ecluse("status", "--json"))["consumers"]
    assert {row["name"]: row["processes"] for row in consumers} == {"warehouse": 2, "hub-trial": 2, "search": 1}
    for name in SHARED:
        # Partitions have changed hands: a second process came, the first one died.
        conn = await asyncpg.connect(on_kafka.environment[f"ECLUSE_{name.partition('-')[0].upper()}_URL"])
        claims = await conn.fetch("SELECT generation FROM bus.consumer_offset WHERE consumer = $1", name)
        await conn.close()
        assert max(row["generation"] for row in claims) >= 3

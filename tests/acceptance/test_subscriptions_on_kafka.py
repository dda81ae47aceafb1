"""A Subscription is served from Kafka as from the outbox: its consumer is killed, and every version is told."""

from __future__ import annotations

import secrets
import signal
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from pathlib import Path

import httpx
import pytest

from ecluse.core.fhir import json
from tests.acceptance.test_kill import process_of
from tests.services.ports import free_port
from tests.services.postgres import Postgres
from tests.services.server import Served, serving
from tests.spec.hooks import Hook, until

pytestmark = pytest.mark.kafka

WRITERS, VERSIONS, KILLS = 4, 40, 2


@pytest.fixture
def served(postgres: Postgres, kafka: str, tmp_path: Path) -> Iterator[Served]:
    """A server whose Subscriptions read Kafka."""
    variables = {
        "ECLUSE_BUS": "kafka",
        "ECLUSE_KAFKA_BOOTSTRAP": kafka,
        "ECLUSE_KAFKA_PREFIX": f"hooks-{secrets.token_hex(4)}.",
        "ECLUSE_KAFKA_PARTITIONS": "1",
        "ECLUSE_SUBSCRIPTIONS": "on",
        "ECLUSE_HOOK_HOSTS": "127.0.0.1",
    }
    with postgres.database("template0") as url, serving(tmp_path, "up", ECLUSE_DATABASE_URL=url, **variables) as served:
        yield served


def test_every_version_is_told_though_the_consumer_is_killed(served: Served) -> None:
    hook = Hook(free_port())
    with httpx.Client(base_url=f"{served.url}/fhir", timeout=60) as fhir, hook.listening():
        channel = {"type": "rest-hook", "endpoint": hook.url, "payload": "application/fhir+json"}
        asked = {"resourceType": "Subscription", "status": "requested", "reason": "t", "criteria": "Observation?code=a"}
        own = fhir.post("/Subscription", json={**asked, "channel": channel}).json()["id"]
        until(lambda: fhir.get(f"/Subscription/{own}").json()["status"] == "active")
        with ThreadPoolExecutor(WRITERS) as writers:
            writing = [writers.submit(_write, fhir, number) for number in range(WRITERS)]
            for kill in range(KILLS):
                until(partial(lambda least: len(hook.received) > least, WRITERS * VERSIONS * (kill + 1) // 5))
                process_of(served, "subscriptions").send_signal(signal.SIGKILL)
            for each in writing:
                each.result()
        until(lambda: set(hook.numbers) == set(range(1, WRITERS * VERSIONS + 1)))
    once = {one.number: json.decode(one.body) for one in hook.received}
    for number in range(WRITERS):
        told = [once[at]["valueInteger"] for at in sorted(once) if once[at]["id"] == f"o{number}"]
        assert told == list(range(VERSIONS))


def _write(fhir: httpx.Client, number: int) -> None:
    for value in range(VERSIONS):
        body = {
            "resourceType": "Observation",
            "id": f"o{number}",
            "status": "final",
            "code": {"coding": [{"code": "a"}]},
            "subject": {"reference": f"Patient/p{number}"},
            "valueInteger": value,
        }
        assert fhir.put(f"/Observation/o{number}", json=body).status_code in (200, 201)

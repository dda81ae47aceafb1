"""Health, as load balancers and operators ask for it."""

from __future__ import annotations

from pathlib import Path

import httpx

from tests.services.ports import free_port
from tests.services.postgres import Postgres
from tests.services.server import Served, serving


def test_a_server_without_worries_says_so(served: Served) -> None:
    answer = httpx.get(f"{served.url}/health")
    assert (answer.status_code, answer.json()) == (200, {"status": "ok"})


def test_an_alarm_degrades_and_does_not_take_the_server_away(postgres: Postgres, tmp_path: Path) -> None:
    with (
        postgres.database("template0") as url,
        serving(tmp_path, ECLUSE_DATABASE_URL=url, ECLUSE_EVENTS_BUDGET_BYTES="1") as served,
    ):
        answer = httpx.get(f"{served.url}/health")
        (alarm,) = answer.json()["alarms"]
        assert (answer.status_code, answer.json()["status"]) == (200, "degraded")
        assert "ECLUSE_EVENTS_BUDGET_BYTES" in alarm and "no reader is registered" in alarm
        assert alarm in httpx.get(f"{served.url}/status.json").json()["alarms"]
        assert "\necluse_alarms 1.0\n" in httpx.get(f"{served.url}/metrics").text


def test_while_the_broker_is_away_all_else_is_told(postgres: Postgres, tmp_path: Path) -> None:
    """Above all what alarms are made of: how long the relay has waited."""
    kafka = {"ECLUSE_BUS": "kafka", "ECLUSE_KAFKA_BOOTSTRAP": f"127.0.0.1:{free_port()}"}
    with postgres.database("template0") as url, serving(tmp_path, ECLUSE_DATABASE_URL=url, **kafka) as served:
        assert httpx.post(f"{served.url}/fhir/Basic", json={"resourceType": "Basic", "code": {"text": "x"}}).is_success
        scraped = httpx.get(f"{served.url}/metrics", timeout=10)
        assert scraped.status_code == 200, scraped.text
        assert "\necluse_relay_unsent_events 1.0\n" in scraped.text
        assert 'ecluse_consumer_processes{consumer="warehouse"} 0.0' in scraped.text
        assert "ecluse_consumer_lag_events{" not in scraped.text
        consumers = httpx.get(f"{served.url}/status.json", timeout=10).json()["consumers"]
        assert {(row["name"], row["lag_events"], row["lag_s"]) for row in consumers} == {
            ("warehouse", None, None),
            ("search", None, None),
        }
        for page in ("/flow", "/"):
            shown = httpx.get(f"{served.url}{page}", timeout=10, headers={"Accept": "text/html"})
            assert "Kafka ne répond pas" in shown.text
        assert "the broker does not answer" in served.ecluse("status")

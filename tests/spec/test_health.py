"""Health, as load balancers and operators ask for it."""

from __future__ import annotations

from pathlib import Path

import httpx

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

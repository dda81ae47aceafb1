"""Reads and commands that wait until a consumer has an event, on the embedded log and on Kafka."""

from __future__ import annotations

import base64
import secrets
import subprocess
import sys
from collections.abc import Iterator
from typing import Any

import httpx
import pytest

from tests.services.postgres import Postgres
from tests.services.server import Served, serving


@pytest.fixture(scope="module", params=["embedded", "kafka"])
def variables(request: pytest.FixtureRequest, postgres: Postgres) -> Iterator[dict[str, str]]:
    """The settings of a bus, on a database of its own."""
    with postgres.database("template0") as url:
        chosen = {"ECLUSE_DATABASE_URL": url, "ECLUSE_BUS": request.param, "ECLUSE_WORKERS": "1"}
        if request.param == "kafka":
            chosen |= {
                "ECLUSE_KAFKA_BOOTSTRAP": request.getfixturevalue("kafka"),
                "ECLUSE_KAFKA_PREFIX": f"wait-{secrets.token_hex(4)}.",
                "ECLUSE_KAFKA_PARTITIONS": "2",
            }
        yield chosen


def report(text: str) -> dict[str, Any]:
    data = base64.b64encode(text.encode()).decode()
    return {
        "resourceType": "DocumentReference",
        "status": "current",
        "subject": {"reference": "Patient/p"},
        "content": [{"attachment": {"contentType": "text/plain; charset=utf-8", "data": data}}],
    }


def wait(served: Served, *words: str) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "ecluse", "wait", *words]
    return subprocess.run(command, env=served.environment, capture_output=True, text=True, timeout=120, check=False)


def test_without_consumers_the_answer_says_who_is_how_far_behind(
    variables: dict[str, str], tmp_path_factory: pytest.TempPathFactory
) -> None:
    relay = ", which the relay has not sent" if variables["ECLUSE_BUS"] == "kafka" else ""
    with serving(tmp_path_factory.mktemp("alone"), **variables, ECLUSE_WAIT_S="1") as served:
        patient = httpx.put(f"{served.url}/fhir/Patient/p", json={"resourceType": "Patient", "id": "p"})
        event = patient.headers["X-Ecluse-Event"]
        late = httpx.get(f"{served.url}/fhir/Patient/p", headers={"X-Ecluse-Wait": "search, warehouse"}, timeout=60)
        assert late.status_code == 503
        said = late.json()["issue"][0]["details"]["text"]
        assert "after 1 s" in said
        assert f"warehouse lacks 1 events{relay}" in said
        done = wait(served, "--event", event, "--consumer", "warehouse", "--timeout", "0.5")
        assert done.returncode != 0
        assert f"warehouse lacks 1 events{relay}." in done.stderr
        assert "search" not in done.stderr
        for headers, told in (
            ({"X-Ecluse-Wait": "warehuose"}, "Did you mean warehouse? There are warehouse, search"),
            ({"X-Ecluse-Wait": ","}, "names consumers"),
            ({"X-Ecluse-Wait": ""}, "names consumers"),
            ([("X-Ecluse-Wait", "search"), ("X-Ecluse-Wait", "nobody")], "There are warehouse, search"),
            ({"X-Ecluse-Wait": "search", "X-Ecluse-Event": "1.99"}, f"no event 1.99 yet; the last one is {event}"),
            ({"X-Ecluse-Wait": "search", "X-Ecluse-Event": "x"}, "like 1.4711"),
        ):
            refused = httpx.get(f"{served.url}/fhir/Patient/p", headers=headers, timeout=60)
            assert (refused.status_code, told in refused.text) == (400, True), refused.text
            beside = httpx.get(f"{served.url}/status.json", headers=headers, timeout=60)
            assert (beside.status_code, told in beside.json()["error"]) == (400, True)
        write = {"json": {"resourceType": "Patient", "id": "q"}, "headers": {"X-Ecluse-Wait": "search"}}
        assert httpx.put(f"{served.url}/fhir/Patient/q", **write).status_code == 400  # type: ignore[arg-type]
        assert httpx.get(f"{served.url}/fhir/Patient/q").status_code == 404


def test_what_was_written_is_found_by_the_search_that_waits_for_it(
    variables: dict[str, str], tmp_path_factory: pytest.TempPathFactory
) -> None:
    with serving(tmp_path_factory.mktemp("up"), "up", **variables, ECLUSE_WAIT_S="120") as served:
        for number in range(5):
            word = f"fracture{secrets.token_hex(4)}"
            made = httpx.post(f"{served.url}/fhir/DocumentReference", json=report(f"une {word}"), timeout=60)
            headers = {"X-Ecluse-Wait": "search", "X-Ecluse-Event": made.headers["X-Ecluse-Event"]}
            asked = {"Accept": "application/json"} | (headers if number else {"X-Ecluse-Wait": "search"})
            found = httpx.get(f"{served.url}/search", params={"q": word}, headers=asked, timeout=150)
            assert (found.status_code, found.json()["total"]) == (200, 1), found.text
        assert wait(served, "--event", made.headers["X-Ecluse-Event"], "--timeout", "120").returncode == 0
        status = httpx.get(f"{served.url}/status.json", timeout=60).json()
        assert {row["name"]: row["lag_events"] for row in status["consumers"]} == {"warehouse": 0, "search": 0}
        own = f"{served.url}/fhir/DocumentReference/{made.json()['id']}"
        assert httpx.get(own, headers={"X-Ecluse-Wait": "warehouse"}).status_code == 200

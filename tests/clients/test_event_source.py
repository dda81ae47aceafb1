"""An EventSource that comes back by itself, through restarts of the server: nothing is lost, nothing is doubled."""

from __future__ import annotations

import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import httpx

from tests.clients.conftest import Program
from tests.services.ports import free_port
from tests.services.server import Served, serving

LIVES, WRITES = 3, 40
LAST = "the-last"


def write(served: Served, **more: Any) -> str:
    resource = {"resourceType": "Basic", "id": "x", "code": {"text": "x"}, **more}
    method, address = ("PUT", f"/fhir/Basic/{more['id']}") if more else ("POST", "/fhir/Basic")
    answer = httpx.request(method, f"{served.url}{address}", json=resource, timeout=60)
    assert answer.status_code == 201
    return f"{answer.headers['X-Ecluse-Event']} Basic/{answer.json()['id']}"


def messages(file: Path) -> list[str]:
    return [line for line in file.read_text().splitlines() if not line.startswith("end ")]


def reached(file: Path, count: int) -> None:
    deadline = time.monotonic() + 60
    while len(messages(file)) < count:
        assert time.monotonic() < deadline
        time.sleep(0.02)


def test_nothing_is_lost_or_doubled_when_the_server_starts_anew(
    node: Program, tmp_path: Path, empty_database: str
) -> None:
    port, file = free_port(), tmp_path / "messages"
    file.touch()
    written: list[str] = []
    url = f"http://127.0.0.1:{port}/events?since=1.0&type=Basic"
    with ThreadPoolExecutor(4) as threads:
        for life in range(LIVES):
            with serving(tmp_path, port=port, ECLUSE_DATABASE_URL=empty_database) as served:
                if not life:
                    reading = threads.submit(node, "event_source.mjs", url, str(file), f"Basic/{LAST}")
                written += threads.map(write, [served] * WRITES)
                # The server ends while the stream is open, whether or not all of this life is told.
                reached(file, life * WRITES + 5)
        with serving(tmp_path, port=port, ECLUSE_DATABASE_URL=empty_database) as served:
            written.append(write(served, id=LAST))
            reading.result(60)
    assert messages(file) == sorted(written, key=lambda each: int(each.partition(" ")[0].partition(".")[2]))
    assert file.read_text().splitlines().count("end stopping") == LIVES

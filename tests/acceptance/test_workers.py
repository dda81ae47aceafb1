"""Two server processes on one port: no truth in the memory of either."""

from __future__ import annotations

import concurrent.futures
import socket
import time
import uuid
from pathlib import Path

import httpx
import psutil
import pytest

from tests.services.server import Served, serving


def workers(served: Served) -> list[psutil.Process]:
    children = psutil.Process(served.process.pid).children(recursive=True)
    return [child for child in children if "spawn_main" in " ".join(child.cmdline())]


def test_two_workers_make_one_resource_of_parallel_conditional_creates(tmp_path: Path, empty_database: str) -> None:
    with serving(tmp_path, ECLUSE_WORKERS="2", ECLUSE_DATABASE_URL=empty_database) as served:
        value = str(uuid.uuid4())
        patient = {"resourceType": "Patient", "identifier": [{"system": "urn:t", "value": value}]}

        def create(_: int) -> httpx.Response:
            headers = {"If-None-Exist": f"identifier=urn:t|{value}"}
            return httpx.post(f"{served.url}/fhir/Patient", json=patient, headers=headers, timeout=60)

        with concurrent.futures.ThreadPoolExecutor(20) as pool:
            answers = list(pool.map(create, range(40)))
        assert sorted(answer.status_code for answer in answers) == [200] * 39 + [201]
        assert len({answer.json()["id"] for answer in answers}) == 1
        assert len(workers(served)) == 2


def test_a_worker_that_dies_is_replaced(tmp_path: Path, empty_database: str) -> None:
    with serving(tmp_path, ECLUSE_WORKERS="2", ECLUSE_DATABASE_URL=empty_database) as served:
        before = {worker.pid for worker in workers(served)}
        victim = workers(served)[0]
        victim.kill()
        victim.wait(10)
        served.wait_until_healthy()
        served.ecluse("site", "add", "north")
        answers = [httpx.get(f"{served.url}/sites/north/fhir/Patient/x", timeout=30).status_code for _ in range(20)]
        assert set(answers) == {404}
        assert len(before) == 2


def test_workers_end_with_their_killed_parent_and_the_port_is_free(tmp_path: Path, empty_database: str) -> None:
    variables = {"ECLUSE_WORKERS": "2", "ECLUSE_DATABASE_URL": empty_database}
    with serving(tmp_path, **variables) as served:
        left = workers(served)
        served.process.kill()
        served.process.wait()
        _, alive = psutil.wait_procs(left, timeout=60)
        assert alive == []
        with serving(tmp_path, port=served.port, **variables) as again:
            assert httpx.get(f"{again.url}/fhir/metadata", timeout=30).status_code == 200


@pytest.mark.parametrize("count", ["1", "2"])
def test_a_server_that_is_stopped_stops_its_database_first(tmp_path: Path, count: str) -> None:
    with serving(tmp_path, ECLUSE_WORKERS=count) as served:
        served.stop()
        assert served.process.returncode == 0
        assert "postgres stopped" in served.log.read_text()


def test_connections_are_shared_evenly(tmp_path: Path, empty_database: str) -> None:
    with serving(tmp_path, ECLUSE_WORKERS="2", ECLUSE_DATABASE_URL=empty_database) as served:
        deadline = time.monotonic() + 30
        while (shares := _shares(served, 8)) != [4, 4] and time.monotonic() < deadline:
            time.sleep(0.1)  # the second worker may not be ready yet
        assert shares == [4, 4]


def _shares(served: Served, count: int) -> list[int]:
    """How many of so many new connections each worker holds."""
    clients = [socket.create_connection(("127.0.0.1", served.port)) for _ in range(count)]
    ports = {client.getsockname()[1] for client in clients}
    deadline = time.monotonic() + 60
    while sum(held := [_held(worker, ports) for worker in workers(served)]) < count and time.monotonic() < deadline:
        time.sleep(0.02)
    for client in clients:
        client.close()
    return held


def _held(worker: psutil.Process, ports: set[int]) -> int:
    return sum(connection.raddr != () and connection.raddr.port in ports for connection in worker.net_connections())

"""Streams of events end well: with the server, with a reader who takes nothing, with the events that are dropped."""

from __future__ import annotations

import contextlib
import json
import socket
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import asyncpg
import httpx
import psutil
import pytest

from tests.services.event_stream import reading
from tests.services.postgres import Postgres
from tests.services.server import Served, serving

BYTES, MANY = 1_000_000, 7
OPEN = "SELECT count(*) FROM pg_stat_activity WHERE datname = current_database() AND state LIKE 'idle in transaction%'"


@pytest.fixture(scope="module")
def served(postgres: Postgres, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Served]:
    """Two processes that are soon impatient."""
    variables = {
        "ECLUSE_EVENTS_SLOW_S": "3",
        "ECLUSE_EVENTS_HEARTBEAT_S": "1",
        "ECLUSE_EVENTS_STREAMS": "3",
        "ECLUSE_WORKERS": "2",
    }
    data = tmp_path_factory.mktemp("data")
    with postgres.database("template0") as url, serving(data, ECLUSE_DATABASE_URL=url, **variables) as served:
        yield served


def write(served: Served, text: str = "x") -> str:
    answer = httpx.post(f"{served.url}/fhir/Basic", json={"resourceType": "Basic", "code": {"text": text}}, timeout=60)
    assert answer.status_code == 201
    return answer.headers["X-Ecluse-Event"]


@contextlib.contextmanager
def unread(served: Served, since: str) -> Iterator[socket.socket]:
    """A reader who has asked, and takes little."""
    with socket.socket() as reader:
        reader.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 65536)
        reader.connect(("127.0.0.1", served.port))
        reader.sendall(f"GET /events?since={since} HTTP/1.1\r\nHost: x\r\nAccept: text/event-stream\r\n\r\n".encode())
        reader.settimeout(60)
        yield reader


def ended(served: Served, reason: str, times: int) -> None:
    """Returns when the log says so often why a stream ended."""
    deadline = time.monotonic() + 60
    while served.log.read_text().count(f'"reason":"{reason}"') < times:
        assert time.monotonic() < deadline, served.log.read_text()[-2000:]
        time.sleep(0.05)


def established(served: Served) -> set[tuple[int, int]]:
    """The connections of the server: its port, the reader's."""
    processes = [psutil.Process(served.process.pid), *psutil.Process(served.process.pid).children(recursive=True)]
    found = [each for process in processes for each in process.net_connections("tcp") if each.raddr]
    return {(each.laddr.port, each.raddr.port) for each in found}


def all_of(reader: socket.socket) -> bytes:
    text = b""
    while piece := reader.recv(1 << 16):
        text += piece
        if b"\r\n0\r\n\r\n" in text[-(1 << 17) :]:
            break
    return text


async def test_a_reader_who_takes_nothing_holds_nothing_and_is_told_when_it_takes_again(served: Served) -> None:
    since = httpx.get(f"{served.url}/events").json()["next"]
    with unread(served, since) as slow:
        positions = [write(served, "x" * BYTES) for _ in range(MANY)]
        store = await asyncpg.connect(served.ecluse("dsn").strip())
        assert await store.fetchval(OPEN) == 0
        await store.close()
        ended(served, "slow", 1)
        text = all_of(slow)
    told = json.loads(text.rpartition(b"event: end")[2].partition(b"data: ")[2].partition(b"\n")[0])
    got = [line[4:].decode() for line in text.split(b"\n") if line.startswith(b"id: ")]
    assert told["reason"] == "slow"
    assert got[-1] == told["next"] in positions[:-1]
    assert len(text) < BYTES * MANY
    with reading(served.url, last=told["next"]) as stream:
        assert stream.next().id == positions[positions.index(told["next"]) + 1]


def test_a_reader_who_takes_nothing_even_then_is_cut_off(served: Served) -> None:
    since = httpx.get(f"{served.url}/events").json()["next"]
    before = served.log.read_text().count('"reason":"slow"')
    with unread(served, since) as gone:
        for _ in range(MANY):
            write(served, "x" * BYTES)
        ended(served, "slow", before + 1)
        connection = (served.port, gone.getsockname()[1])
        deadline = time.monotonic() + 60
        while connection in established(served):
            assert time.monotonic() < deadline
            time.sleep(0.05)


def test_a_quiet_stream_says_that_it_lives_and_takes_the_position_along(served: Served) -> None:
    with reading(served.url, type="Group") as stream:
        began = stream.block().id
        passed = write(served)
        beats = [stream.block()]
        while beats[-1].id == began and len(beats) < 60:
            beats.append(stream.block())
    assert all(beat.comment and beat.data is None for beat in beats)
    assert beats[-1].id == passed


def test_more_readers_than_may_be_are_refused(served: Served) -> None:
    with contextlib.ExitStack() as stack:
        statuses = []
        for _ in range(8):
            ask = {"headers": {"Accept": "text/event-stream"}, "timeout": 60}
            answer = stack.enter_context(httpx.stream("GET", f"{served.url}/events", **ask))  # type: ignore[arg-type]
            statuses.append(answer.status_code)
            if answer.status_code != 200:
                assert "as many readers" in json.loads(answer.read())["issue"][0]["details"]["text"]
    assert sorted(statuses) == [200] * 6 + [429] * 2


async def test_events_that_are_dropped_end_the_stream_that_lacks_them(served: Served) -> None:
    store = await asyncpg.connect(served.ecluse("dsn").strip())
    low, high = 1 << 20, 1 << 21
    with reading(served.url) as stream:
        began = stream.block().id
        await store.execute(f"SELECT setval('bus.outbox_seq', {high})")
        await store.execute("DROP TABLE bus.outbox_0, bus.outbox_1")
        last = stream.next()
    assert (last.name, last.data["reason"], last.data["status"]) == ("end", "refused", 410)
    assert last.data["next"] == began
    assert int(began.partition(".")[2]) < low
    answer = httpx.get(f"{served.url}/events", headers={"Accept": "text/event-stream", "Last-Event-ID": began})
    assert answer.status_code == 410
    await store.close()


def test_the_stop_of_the_server_ends_streams_at_once(tmp_path: Path, empty_database: str) -> None:
    slow: dict[str, Any] = {"ECLUSE_EVENTS_SLOW_S": "3600", "ECLUSE_DATABASE_URL": empty_database}
    with serving(tmp_path, **slow) as served:
        first = write(served)
        with reading(served.url, since="1.0") as stream, unread(served, "1.0") as other:
            assert stream.next().id == first
            for _ in range(MANY):
                write(served, "x" * BYTES)
            for _ in range(MANY):
                last = stream.next()
            children = psutil.Process(served.process.pid).children(recursive=True)
            served.process.terminate()
            end = stream.next()
            assert (end.name, end.data["reason"], end.data["next"]) == ("end", "stopping", last.id)
            # Also the reader who takes nothing keeps no process from its end.
            assert psutil.wait_procs([psutil.Process(served.process.pid), *children], timeout=60)[1] == []
            assert served.process.wait(60) == 0
            other.close()
    assert "Traceback" not in served.log.read_text()

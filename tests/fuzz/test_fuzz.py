"""Thousands of odd requests: no answer is a 5xx, every refusal says what is wrong, memory stays flat.

The long form sends 20,000 requests and more (`-m long`)."""

from __future__ import annotations

import asyncio
import json
from collections import Counter
from collections.abc import Iterator
from itertools import islice
from pathlib import Path

import httpx
import psutil
import pytest

from tests.fuzz.grammar import Grammar, Sent
from tests.services.server import Served, serving

AT_ONCE = 8
GROWTH_MB = 60
LONG = pytest.param(20_000, marks=pytest.mark.long)


@pytest.fixture
def served(tmp_path: Path, empty_database: str) -> Iterator[Served]:
    with serving(tmp_path, ECLUSE_DATABASE_URL=empty_database) as served:
        served.ecluse("site", "add", "north")
        yield served


@pytest.mark.parametrize("count", [2_000, LONG])
async def test_odd_requests_are_answered_and_memory_stays_flat(served: Served, count: int) -> None:
    requests = Grammar(20261126).requests()
    seen: Counter[int] = Counter()
    async with httpx.AsyncClient(base_url=served.url, timeout=60, headers={"Accept": "*/*"}) as client:
        seen += await _send(client, islice(requests, count // 3))
        warm = _memory_mb(served)
        seen += await _send(client, islice(requests, count - count // 3))
        assert (await client.get("/health")).status_code == 200
    grown = _memory_mb(served) - warm
    assert sum(seen.values()) == count
    assert all(status < 500 for status in seen), seen
    assert {200, 201, 400, 404, 405} <= seen.keys(), seen
    assert grown < GROWTH_MB, f"{grown:.0f} MB"
    assert "request failed" not in served.log.read_text()


async def _send(client: httpx.AsyncClient, requests: Iterator[Sent]) -> Counter[int]:
    seen: Counter[int] = Counter()

    async def work() -> None:
        for sent in requests:
            answer = await client.request(sent.method, sent.path, headers=sent.headers, content=sent.body)
            seen[answer.status_code] += 1
            _check(sent, answer)

    async with asyncio.TaskGroup() as group:
        for _ in range(AT_ONCE):
            group.create_task(work())
    return seen


def _check(sent: Sent, answer: httpx.Response) -> None:
    """A refusal names what is wrong; what it is told in is JSON or XML."""
    said = f"{sent.method} {sent.path} {sent.headers} {sent.body[:3000]!r}\n→ {answer.status_code} {answer.text[:3000]}"
    assert answer.status_code < 500, said
    if answer.status_code >= 400 and sent.method != "HEAD":
        media = answer.headers.get("content-type", "")
        assert media.startswith(("application/fhir+json", "application/fhir+xml")), said
        if "json" in media:
            outcome = json.loads(answer.content)
            assert outcome["resourceType"] == "OperationOutcome", said
            assert all(issue["details"]["text"] for issue in outcome["issue"]), said


def _memory_mb(served: Served) -> float:
    processes = [psutil.Process(served.process.pid), *psutil.Process(served.process.pid).children(recursive=True)]
    return sum(process.memory_info().rss for process in processes if "python" in process.name()) / 1e6

"""A body that is larger than a record may be reaches consumers through both logs, byte for byte."""

from __future__ import annotations

import asyncio
import base64
import hashlib
import os
from collections.abc import AsyncIterator
from pathlib import Path

import asyncpg
import httpx
import pytest

from consumers import dead_letters
from ecluse.bus.bodies import HttpBodies
from ecluse.bus.kafka import KafkaLog
from ecluse.bus.log import Reference
from ecluse.core.errors import Unavailable, Unmappable
from ecluse.core.settings import Settings
from tests.integration.bus.test_topic_contract import read_all, relaying
from tests.integration.consumers.given import runner, until
from tests.integration.consumers.recording import RecordingSink, rows
from tests.services.server import Served, serving

LARGE = 15 * 1024 * 1024
"""Bytes of the attachment; its base64 has 20 MB."""


def document(data: bytes) -> dict[str, object]:
    return {
        "resourceType": "DocumentReference",
        "status": "current",
        "content": [{"attachment": {"contentType": "application/pdf", "data": base64.b64encode(data).decode()}}],
    }


def posted(served: Served, data: bytes) -> str:
    """The id under which the server stored the document."""
    answer = httpx.post(f"{served.url}/fhir/DocumentReference", json=document(data), timeout=60)
    assert answer.status_code == 201, answer.text[:500]
    return str(answer.json()["id"])


async def _received(pool: asyncpg.Pool, running: asyncio.Task[None], resource_id: str, data: bytes) -> None:
    wanted = ("DocumentReference", resource_id, 1, 1, hashlib.sha256(base64.b64encode(data)).hexdigest())

    async def received() -> bool:
        return await rows(pool) == [wanted]

    await until(received, running)


async def test_a_20_mb_document_passes_the_embedded_log(
    database: str, pool: asyncpg.Pool, sink: RecordingSink, tmp_path: Path
) -> None:
    data = os.urandom(LARGE)
    stop = asyncio.Event()
    running = asyncio.create_task(runner(sink, pool).run(stop))
    with serving(tmp_path / "data", ECLUSE_DATABASE_URL=database) as served:
        resource_id = await asyncio.to_thread(posted, served, data)
        await _received(pool, running, resource_id, data)
    stop.set()
    await running


@pytest.mark.kafka
async def test_a_20_mb_document_passes_kafka_by_reference(
    database: str, pool: asyncpg.Pool, sink: RecordingSink, on_kafka: Settings, tmp_path: Path
) -> None:
    data = os.urandom(LARGE)
    stop = asyncio.Event()
    with serving(tmp_path / "data", ECLUSE_DATABASE_URL=database) as served:
        settings = Settings(
            bus="kafka",
            kafka_bootstrap=on_kafka.kafka_bootstrap,
            kafka_prefix=on_kafka.kafka_prefix,
            port=served.port,
        )
        log = KafkaLog(settings, pool, sink.name, sorted(sink.types))
        bodies = HttpBodies()
        running = asyncio.create_task(runner(sink, pool, log, bodies.follow).run(stop))
        resource_id = await asyncio.to_thread(posted, served, data)
        async with relaying(settings, pool):
            await _received(pool, running, resource_id, data)
        (record,) = await asyncio.to_thread(read_all, settings, "fhir.documentreference.v1")
        stop.set()
        await running
        await bodies.close()
    address = f"{served.url}/sites/default/fhir/DocumentReference/{resource_id}/_history/1"
    assert record.headers["ecluse-body"] == "ref"
    assert record.headers["ce_dataref"] == address
    assert record.value is not None and len(record.value) < 1000
    assert await dead_letters.listed(pool) == []


async def test_a_body_behind_a_reference_is_checked(served_text: str) -> None:
    bodies = HttpBodies()
    good = hashlib.sha256(b"the body").hexdigest()
    assert await bodies.follow(Reference(f"{served_text}/body", good, 8)) == b"the body"
    with pytest.raises(Unmappable, match="another hash"):
        await bodies.follow(Reference(f"{served_text}/body", "0" * 64, 8))
    with pytest.raises(Unmappable, match="no longer has"):
        await bodies.follow(Reference(f"{served_text}/gone", good, 8))
    with pytest.raises(Unavailable):
        await bodies.follow(Reference(f"{served_text}/broken", good, 8))
    with pytest.raises(Unavailable):
        await bodies.follow(Reference("http://127.0.0.1:1/body", good, 8))
    await bodies.close()


@pytest.fixture
async def served_text() -> AsyncIterator[str]:
    """An HTTP server that answers as its paths say."""
    answers = {"/body": (200, b"the body"), "/gone": (410, b""), "/broken": (500, b"")}

    async def answer(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        path = (await reader.readuntil(b"\r\n\r\n")).split()[1].decode()
        status, body = answers[path]
        writer.write(f"HTTP/1.1 {status} X\r\nContent-Length: {len(body)}\r\nConnection: close\r\n\r\n".encode() + body)
        await writer.drain()
        writer.close()
        await writer.wait_closed()

    server = await asyncio.start_server(answer, "127.0.0.1", 0)
    async with server:
        yield f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}"

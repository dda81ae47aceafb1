"""POST → visible in each sink, at a steady rate of writes; and how fast a sink takes a backlog."""

from __future__ import annotations

import asyncio
import json
import time
import uuid
from collections.abc import Awaitable, Callable

import asyncpg

from bench.client import Call, Connection, Run
from bench.report import Figure
from bench.requests import observation
from bench.server import Server

WRITES_A_SECOND = 20
LONGEST_S = 30
LOOK_EVERY_S = 0.02
SEEN = "SELECT 1 FROM bus.ledger WHERE consumer = $1 AND id = $2 AND state = 'mapped'"
Visible = Callable[[str], Awaitable[bool]]


async def figures(server: Server, seconds: float) -> list[Figure]:
    """The time until each sink shows a write: the row in the ledger's own transaction, the hit in the text index."""
    conn = await asyncpg.connect(server.ecluse("dsn", "warehouse"))
    try:
        seen = await measure(server, conn, seconds)
    finally:
        await conn.close()
    return [_figure(name, run) for name, run in seen.items()]


def _figure(name: str, run: Run) -> Figure:
    note = (
        f"p50 {run.percentile_ms(0.5)} ms of {len(run.latencies)} at {WRITES_A_SECOND} writes/s, {run.errors} not seen"
    )
    return Figure(f"freshness of {name}, p99", run.percentile_ms(0.99), "ms", 1000, note=note)


async def measure(server: Server, conn: asyncpg.Connection, seconds: float) -> dict[str, Run]:
    """How long each sink took to show each of its writes, for so many seconds."""
    lock = asyncio.Lock()
    sinks: dict[str, Visible] = {name: _ledger(conn, lock, name) for name in ("warehouse", "hub-bench")}
    sinks["search"] = _search(server)
    runs = {name: Run() for name in sinks}
    connection, patient = Connection("127.0.0.1", server.port), str(uuid.uuid4())
    body = json.dumps({"resourceType": "Patient", "id": patient, "birthDate": "1950", "gender": "male"}).encode()
    await connection.send(Call("PUT", f"/fhir/Patient/{patient}", body))
    pending: list[asyncio.Task[None]] = []
    for number in range(int(seconds * WRITES_A_SECOND)):
        resource_id = str(uuid.uuid4())
        report = number % 2 == 0
        content = _report(patient, resource_id) if report else observation(patient, number, resource_id)
        await connection.send(
            Call("PUT", f"/fhir/{'DiagnosticReport' if report else 'Observation'}/{resource_id}", content)
        )
        for name in ("search",) if report else ("warehouse", "hub-bench"):
            pending.append(asyncio.create_task(_until(runs[name], sinks[name], resource_id)))
        await asyncio.sleep(1 / WRITES_A_SECOND)
    await asyncio.gather(*pending)
    connection.close()
    return runs


def _ledger(conn: asyncpg.Connection, lock: asyncio.Lock, consumer: str) -> Visible:
    async def visible(resource_id: str) -> bool:
        async with lock:
            return bool(await conn.fetchval(SEEN, consumer, resource_id))

    return visible


def _search(server: Server) -> Visible:
    async def visible(resource_id: str) -> bool:
        reader = Connection("127.0.0.1", server.port)
        status, body = await reader.send(Call("GET", f"/search?q={resource_id.replace('-', '')}&format=json"))
        reader.close()
        return status == 200 and json.loads(body)["total"] > 0

    return visible


async def _until(run: Run, visible: Visible, resource_id: str) -> None:
    began = time.monotonic()
    while not await visible(resource_id):
        await asyncio.sleep(LOOK_EVERY_S)
        if time.monotonic() - began > LONGEST_S:
            run.errors += 1
            break
    run.latencies.append(time.monotonic() - began)


def _report(patient: str, resource_id: str) -> bytes:
    return json.dumps(
        {
            "resourceType": "DiagnosticReport",
            "id": resource_id,
            "status": "final",
            "code": {"coding": [{"system": "http://loinc.org", "code": "18748-4"}]},
            "subject": {"reference": f"Patient/{patient}"},
            "conclusion": f"Pas de signe d'embolie pulmonaire. {resource_id.replace('-', '')}",
        }
    ).encode()

"""What is measured: ingest, single requests, searches, freshness, size.

Enters: a running server. Leaves: figures. Targets are those of docs/performance.md; CPU a request is that of server and
database."""

from __future__ import annotations

import asyncio
import json
import time
import uuid
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any

import asyncpg

from bench.client import Call, Connection, Run, drive
from bench.limit import copy_rows_per_s
from bench.report import Figure
from bench.server import Server

FIRST = ("hospital", "practitioner", "organization")
INGEST_AT = (1, 4, 8)
WRITES_A_SECOND = 20
HUB = "bench"
Figures = list[Figure]


def variables(data: Path) -> dict[str, str]:
    """Settings of the server under test: one hub project, so that all three sinks run."""
    folder = data / "projects"
    folder.mkdir(parents=True)
    return {"ECLUSE_HUB_PROJECTS": str(folder), "ECLUSE_LOG_LEVEL": "warning"}


async def all_figures(server: Server, patients: int, seconds: float, bundles: Path | None) -> Figures:
    """Every figure, in the order of the table."""
    files = sorted((bundles or _synthesised(server, patients)).rglob("*.json"))
    store = server.ecluse("dsn")
    ingest, stored = await _ingest(server, files)
    figures = ingest + await _limit(store, ingest)
    server.ecluse("wait", "--timeout", "600")
    figures += await _bytes(store, stored)
    figures += await _requests(server, store, seconds)
    return figures + await _freshness(server, seconds)


def _synthesised(server: Server, patients: int) -> Path:
    folder = server.data / "bundles"
    server.ecluse("synth", "--patients", str(patients), "--seed", "20", "--out", str(folder))
    return folder


async def _ingest(server: Server, files: list[Path]) -> tuple[Figures, int]:
    """Transaction bundles at each concurrency, each bundle once; every third of them at each."""
    reference = [file for file in files if file.name.lower().startswith(FIRST)]
    await drive(server.port, [_bundle(file) for file in reference], 1)
    patients = [_bundle(file) for file in files if file not in reference]
    figures: Figures = []
    stored = 0
    for place, concurrency in enumerate(INGEST_AT):
        before = server.cpu_s()
        run = await drive(server.port, patients[place :: len(INGEST_AT)], concurrency)
        stored += run.resources
        cpu = _cpu_ms(server, before, run.resources)
        note = f"{run.errors} errors, {cpu} ms CPU of server and database a resource"
        figures.append(Figure(f"ingest at {concurrency}", round(run.resources / run.seconds), "resources/s", note=note))
    return figures, stored


def _bundle(file: Path) -> Call:
    body = file.read_bytes()
    return Call("POST", "/fhir", body, resources=len(json.loads(body)["entry"]))


async def _limit(store: str, ingest: Figures) -> Figures:
    conn = await asyncpg.connect(store)
    bodies = [
        row[0]
        for row in await conn.fetch(
            "SELECT convert_from(body, 'UTF8') FROM fhir.version WHERE body IS NOT NULL LIMIT 20000"
        )
    ]
    await conn.close()
    limit = await copy_rows_per_s(store, bodies)
    at_four = next(figure.value for figure in ingest if figure.name == "ingest at 4")
    return [
        Figure("limit: COPY of the same bodies", round(limit), "rows/s"),
        Figure(
            "ingest at 4, share of the limit",
            round(at_four / limit, 3),
            "",
            round(1 / 15, 3),
            at_least=True,
            note="wanted in the end: 0.2",
        ),
    ]


async def _bytes(store: str, stored: int) -> Figures:
    conn = await asyncpg.connect(store)
    size: int = await conn.fetchval(
        "SELECT sum(pg_total_relation_size(c.oid)) FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace"
        " WHERE n.nspname IN ('fhir', 'bus') AND c.relkind = 'r'"
    )
    rows: int = await conn.fetchval(
        "SELECT (SELECT count(*) FROM fhir.token) + (SELECT count(*) FROM fhir.reference) + (SELECT count(*) FROM fhir.string)"
        " + (SELECT count(*) FROM fhir.date)"
    )
    await conn.close()
    return [
        Figure("bytes on disk", round(size / max(stored, 1)), "bytes/resource", note="store and bus, indexes included"),
        Figure("search rows", round(rows / max(stored, 1), 1), "rows/resource"),
    ]


async def _requests(server: Server, store: str, seconds: float) -> Figures:
    conn = await asyncpg.connect(store)
    ids = [
        row[0]
        for row in await conn.fetch(
            'SELECT id FROM fhir.resource r JOIN fhir.version v USING (pk, version) WHERE v.body LIKE \'{"resourceType":"Observation"%\' LIMIT 2000'
        )
    ]
    patients = [
        row[0]
        for row in await conn.fetch("SELECT DISTINCT patient FROM fhir.resource WHERE patient IS NOT NULL LIMIT 200")
    ]
    await conn.close()
    loads: dict[str, list[Call]] = {
        "read": [Call("GET", f"/fhir/Observation/{i}") for i in ids],
        "create": [Call("POST", "/fhir/Observation", _observation(patients[n % len(patients)], n)) for n in range(500)],
        "update": [
            Call("PUT", f"/fhir/Observation/{i}", _observation(patients[0], n, i)) for n, i in enumerate(ids * 5)
        ],
        "search": [Call("GET", f"/fhir/Observation?patient={p}&_count=20") for p in patients],
    }
    figures: Figures = []
    for name, calls in loads.items():
        for concurrency in (8, 32):
            figures.append(await _request_figure(server, f"{name} at {concurrency}", calls, concurrency, seconds))
    return figures


async def _request_figure(server: Server, name: str, calls: list[Call], concurrency: int, seconds: float) -> Figure:
    await drive(server.port, calls, concurrency, seconds=min(1.0, seconds))
    before = server.cpu_s()
    run = await drive(server.port, calls, concurrency, seconds=seconds)
    note = f"{round(len(run.latencies) / run.seconds)}/s, p50 {run.percentile_ms(0.5)} ms, p99 {run.percentile_ms(0.99)} ms, {run.errors} errors"
    return Figure(name, _cpu_ms(server, before, len(run.latencies)), "ms CPU", note=note)


def _cpu_ms(server: Server, before: dict[str, float], requests: int) -> float:
    after = server.cpu_s()
    spent = sum(after[part] - before[part] for part in ("server", "database"))
    return round(1000 * spent / max(requests, 1), 3)


def _observation(patient: str, number: int, resource_id: str = "") -> bytes:
    body: dict[str, Any] = {
        "resourceType": "Observation",
        "status": "final",
        "code": {"coding": [{"system": "http://loinc.org", "code": "8867-4"}]},
        "subject": {"reference": f"Patient/{patient}"},
        "effectiveDateTime": "2026-05-03T10:00:00+02:00",
        "valueQuantity": {
            "value": 60 + number % 40,
            "unit": "/min",
            "system": "http://unitsofmeasure.org",
            "code": "/min",
        },
        "note": [{"text": f"number {number} at {time.time_ns()}"}],
    }
    return json.dumps({**body, "id": resource_id} if resource_id else body).encode()


async def _freshness(server: Server, seconds: float) -> Figures:
    """POST → visible in each sink, at a steady rate of writes."""
    warehouse = await asyncpg.connect(server.ecluse("dsn", "warehouse"))
    try:
        seen = await _visible(server, warehouse, seconds)
    finally:
        await warehouse.close()
    return [
        Figure(
            f"freshness of {name}, p99",
            run.percentile_ms(0.99),
            "ms",
            1000,
            note=f"p50 {run.percentile_ms(0.5)} ms at {WRITES_A_SECOND} writes/s",
        )
        for name, run in seen.items()
    ]


async def _visible(server: Server, warehouse: asyncpg.Connection, seconds: float) -> dict[str, Run]:
    found = {"warehouse": Run(), "search": Run()}
    connection = Connection("127.0.0.1", server.port)
    patient = str(uuid.uuid4())
    await connection.send(
        Call(
            "PUT",
            f"/fhir/Patient/{patient}",
            json.dumps({"resourceType": "Patient", "id": patient, "birthDate": "1950"}).encode(),
        )
    )
    lock = asyncio.Lock()

    async def in_warehouse(resource_id: str) -> bool:
        async with lock:
            return bool(
                await warehouse.fetchval("SELECT 1 FROM omop_map.id_map WHERE resource_id = $1 LIMIT 1", resource_id)
            )

    async def in_search(resource_id: str) -> bool:
        reader = Connection("127.0.0.1", server.port)
        status, body = await reader.send(Call("GET", f"/search?q={resource_id.replace('-', '')}&format=json"))
        reader.close()
        return status == 200 and json.loads(body)["total"] > 0

    pending: list[asyncio.Task[None]] = []
    for _ in range(int(seconds * WRITES_A_SECOND)):
        resource_id = str(uuid.uuid4())
        await connection.send(Call("PUT", f"/fhir/DiagnosticReport/{resource_id}", _report(patient, resource_id)))
        pending.append(asyncio.create_task(_until(found["search"], in_search, resource_id)))
        resource_id = str(uuid.uuid4())
        await connection.send(Call("PUT", f"/fhir/Observation/{resource_id}", _observation(patient, 1, resource_id)))
        pending.append(asyncio.create_task(_until(found["warehouse"], in_warehouse, resource_id)))
        await asyncio.sleep(1 / WRITES_A_SECOND)
    await asyncio.gather(*pending)
    connection.close()
    return found


async def _until(run: Run, visible: Callable[[str], Awaitable[bool]], resource_id: str) -> None:
    began = time.monotonic()
    while not await visible(resource_id):
        await asyncio.sleep(0.02)
        if time.monotonic() - began > 30:
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

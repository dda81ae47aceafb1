"""Single requests: read, create, update, search. CPU a request is that of server and database.

Enters: a loaded server without consumers, as the server to beat has none. Leaves: each kind at each concurrency.
"""

from __future__ import annotations

import json
import time
from typing import Any

import asyncpg

from bench.client import Call, drive
from bench.report import Figure
from bench.server import Server

CONCURRENCIES = (8, 32)
TARGETS_MS = {"read": (0.84, 0.594), "create": (1.95, 2.08), "update": (1.91, 2.55)}
"""A third of what the server to beat needs for the same request at the same concurrency (docs/performance.md)."""
IDS = """
    SELECT r.id FROM fhir.resource r JOIN fhir.version v USING (pk, version)
    WHERE left(convert_from(v.body, 'UTF8'), 29) = '{"resourceType":"Observation"' LIMIT 2000"""
PATIENTS = "SELECT DISTINCT patient FROM fhir.resource WHERE patient IS NOT NULL LIMIT 200"


def observation(patient: str, number: int, resource_id: str = "") -> bytes:
    """A heart rate; no two are the same."""
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


async def figures(server: Server, seconds: float) -> list[Figure]:
    """Each kind of request at each concurrency."""
    found: list[Figure] = []
    for name, calls in (await _loads(server)).items():
        for place, concurrency in enumerate(CONCURRENCIES):
            target = TARGETS_MS[name][place] if name in TARGETS_MS else None
            found.append(await _at(server, name, calls, concurrency, seconds, target))
    return found


async def _loads(server: Server) -> dict[str, list[Call]]:
    conn = await asyncpg.connect(server.ecluse("dsn"))
    ids = [row[0] for row in await conn.fetch(IDS)]
    patients = [row[0] for row in await conn.fetch(PATIENTS)]
    await conn.close()
    some = range(500)
    return {
        "read": [Call("GET", f"/fhir/Observation/{i}") for i in ids],
        "create": [Call("POST", "/fhir/Observation", observation(patients[n % len(patients)], n)) for n in some],
        "update": [
            Call("PUT", f"/fhir/Observation/{i}", observation(patients[0], n, i)) for n, i in enumerate(ids * 5)
        ],
        "search": [Call("GET", f"/fhir/Observation?patient={p}&_count=20") for p in patients],
    }


async def _at(
    server: Server, name: str, calls: list[Call], concurrency: int, seconds: float, target: float | None
) -> Figure:
    await drive(server.port, calls, concurrency, seconds=min(1.0, seconds))
    before = server.cpu_s()
    run = await drive(server.port, calls, concurrency, seconds=seconds)
    rate = round(len(run.latencies) / run.seconds)
    times = f"p50 {run.percentile_ms(0.5)} ms, p99 {run.percentile_ms(0.99)} ms"
    cpu = server.cpu_ms_since(before, len(run.latencies))
    return Figure(f"{name} at {concurrency}", cpu, "ms CPU", target, note=f"{rate}/s, {times}, {run.errors} errors")

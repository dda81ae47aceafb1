"""What a write costs beside its resource: rows that searches read, and bytes of the write-ahead log.

Enters: a running server without consumers, which would write too. Leaves: the cost of a create, and of updates that
change one field each.
"""

from __future__ import annotations

import json
from typing import Any

import asyncpg

from bench.client import Call, drive
from bench.report import Figure
from bench.requests import observation
from bench.server import Server
from fhir_server.store.search_rows import TABLES

COUNT = 400
FEW = 100
CONCURRENCY = 4
MOST_ROWS = 8
PATIENT = "bench-writes"
CHANGES: dict[str, Any] = {
    "status": "amended",
    "effectiveDateTime": "2026-06-04T11:30:00+02:00",
    "valueQuantity": {"value": 61.5, "unit": "/min", "system": "http://unitsofmeasure.org", "code": "/min"},
    "note": [{"text": "another remark"}],
}
"""Fields of an Observation, with other values than a created one has."""
STANDING = "\nUNION ALL\n".join(
    f"SELECT '{table.name}' AS kind, t.ctid::text AS place, t.xmin::text AS by"
    f" FROM fhir.{table.name} t JOIN fhir.reference r ON r.pk = t.pk AND r.target_id = $1"
    for table in TABLES.values()
)
"""Each search row of a patient's resources: where it stands and who wrote it, which no two rows share."""
WRITTEN = "SELECT pg_current_wal_insert_lsn() - '0/0'::pg_lsn"


async def figures(server: Server) -> list[Figure]:
    """Of creates, then of updates by field."""
    conn = await asyncpg.connect(server.ecluse("dsn"))
    patient = json.dumps({"resourceType": "Patient", "id": PATIENT}).encode()
    await _send(server, [Call("PUT", f"/fhir/Patient/{PATIENT}", patient)])
    bodies = {field: _bodies(field) for field in CHANGES}
    await _send(server, [_put(name, body) for some in bodies.values() for name, body in some.items()])
    before = await _rows(conn)
    created = [Call("POST", "/fhir/Observation", observation(PATIENT, number)) for number in range(COUNT)]
    loads = {"create": created} | {f"update of {field}": _changed(field, bodies[field]) for field in CHANGES}
    found: list[Figure] = []
    for name, calls in loads.items():
        size = await _log_bytes(server, conn, calls)
        after = await _rows(conn)
        most = None if name == "create" else MOST_ROWS
        touched = len(before ^ after) / COUNT
        found.append(Figure(f"{name}: search rows", touched, "rows", most, note="added and dropped"))
        found.append(Figure(f"{name}: write-ahead log", size, "bytes", note="of an Observation of 500 bytes"))
        before = after
    await conn.close()
    return found


def _bodies(field: str) -> dict[str, bytes]:
    names = [f"bench-{field.lower()}-{number}" for number in range(COUNT)]
    return {name: observation(PATIENT, number, name) for number, name in enumerate(names)}


def _changed(field: str, bodies: dict[str, bytes]) -> list[Call]:
    """The same resources with one field changed."""
    change = {field: CHANGES[field]}
    return [_put(name, json.dumps(json.loads(body) | change).encode()) for name, body in bodies.items()]


def _put(name: str, body: bytes) -> Call:
    return Call("PUT", f"/fhir/Observation/{name}", body)


async def _send(server: Server, calls: list[Call]) -> None:
    run = await drive(server.port, calls, CONCURRENCY)
    if run.errors:
        raise RuntimeError(f"{run.errors} of {len(calls)} writes were refused")


async def _log_bytes(server: Server, conn: asyncpg.Connection, calls: list[Call]) -> int:
    """Bytes of log, a call. The first change of a page after a checkpoint logs the whole page: one runs before, and the
    first few calls pay for most of the pages."""
    await conn.execute("CHECKPOINT")
    await _send(server, calls[:FEW])
    before = await conn.fetchval(WRITTEN)
    await _send(server, calls[FEW:])
    return round(float(await conn.fetchval(WRITTEN) - before) / (COUNT - FEW))


async def _rows(conn: asyncpg.Connection) -> set[tuple[str, ...]]:
    """The search rows that stand for the resources of the patient."""
    return {tuple(row) for row in await conn.fetch(STANDING, PATIENT)}

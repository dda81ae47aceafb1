"""A store that tests write into without the server: the rows of the one door, and nothing else of it."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from typing import Any, NamedTuple

from ecluse.core import clock
from ecluse.core.fhir import json, types

CREATED, UPDATED, DELETED = 1, 2, 3

LOCK = """
INSERT INTO fhir.resource (pk, updated, version, site, type, deleted, id, patient)
VALUES (nextval('fhir.key_block'), $4, 0, $1, $2, true, $3, NULL) ON CONFLICT (site, type, id) DO NOTHING
"""
NEXT = """
UPDATE fhir.resource SET version = version + 1, updated = $4, deleted = $5, patient = $6
WHERE site = $1 AND type = $2 AND id = $3 RETURNING pk, version
"""
VERSION = """
INSERT INTO fhir.version (pk, write_id, updated, version, entry, site, type, op, patient, body)
VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10)
"""
OUTBOX = """
INSERT INTO bus.outbox (pk, version, site, type, op, lane, patient) VALUES ($1, $2, $3, $4, $5, $6, $7) RETURNING seq
"""
WRITE = """
INSERT INTO fhir.write (write_id, received_at, entries, site, lane, sender, request_id, source_format, traceparent)
VALUES (nextval('fhir.key_block'), $1, $2, $3, $4, 'test', $5, 'fhir+json', '') RETURNING write_id
"""


class Put(NamedTuple):
    """One write of a test; resource None deletes."""

    type: str
    id: str
    resource: dict[str, Any] | None = None
    patient: str | None = None


async def put(
    conn: Any, puts: Sequence[Put], *, site: int = 1, lane: int = 0, hold_s: float = 0.0
) -> list[tuple[int, int]]:
    """(seq, version) of each write, in one transaction; hold_s: how long the numbers stay uncommitted."""
    written = []
    async with conn.transaction():
        now = clock.now()
        write_id = await conn.fetchval(WRITE, now, len(puts), site, lane, clock.new_id())
        for entry, item in enumerate(sorted(puts)):
            kind = types.number_of[item.type]
            await conn.execute(LOCK, site, kind, item.id, now)
            gone = item.resource is None
            pk, version = await conn.fetchrow(NEXT, site, kind, item.id, now, gone, item.patient)
            op = DELETED if gone else CREATED if version == 1 else UPDATED
            body = None if gone else json.encode({"resourceType": item.type, "id": item.id, **(item.resource or {})})
            await conn.execute(VERSION, pk, write_id, now, version, entry, site, kind, op, item.patient, body)
            seq = await conn.fetchval(OUTBOX, pk, version, site, kind, op, lane, item.patient)
            written.append((seq, version))
        if hold_s:
            await asyncio.sleep(hold_s)
    return written


async def fill(
    conn: Any, count: int, *, kind: str = "Observation", patients: int = 50, size: int = 1000, lane: int = 0
) -> None:
    """count created resources by few statements, for measurements."""
    await conn.execute(
        """
        WITH made AS (
            INSERT INTO fhir.resource (pk, updated, version, site, type, deleted, id, patient)
            SELECT nextval('fhir.key_block'), now(), 1, 1, $2, false, 'r' || n || '-' || extract(epoch FROM now()),
                   'p' || n % $3
            FROM generate_series(1, $1) n RETURNING pk, id, patient
        ), wrote AS (
            INSERT INTO fhir.write
                (write_id, received_at, entries, site, lane, sender, request_id, source_format, traceparent)
            VALUES (nextval('fhir.key_block'), now(), 1, 1, $6, 'test', 'r', 'fhir+json', '') RETURNING write_id
        ), versions AS (
            INSERT INTO fhir.version (pk, write_id, updated, version, entry, site, type, op, patient, body)
            SELECT pk, write_id, now(), 1, 0, 1, $2, 1, patient,
                   convert_to(jsonb_build_object('resourceType', $4::text, 'id', id, 'status', 'final',
                              'code', jsonb_build_object('text', repeat('x', $5)))::text, 'UTF8')
            FROM made, wrote
        )
        INSERT INTO bus.outbox (pk, version, site, type, op, lane, patient)
        SELECT pk, 1, 1, $2, 1, $6, patient FROM made
        """,
        count,
        types.number_of[kind],
        patients,
        kind,
        size,
        lane,
    )

"""$export of 200,000 resources and $import of some of them again; beside them, how fast COPY TO gives the same rows.

The resources are those of the load, as often as needed, at a site of their own; no event tells of them.
"""

from __future__ import annotations

import asyncio
import json
import statistics
import time
import urllib.request

import asyncpg
import psutil

from bench.report import Figure
from bench.server import Server

RESOURCES, IMPORTED = 200_000, 10_000
ASYNC = {"Prefer": "respond-async"}
REPEATS = 3
LOOK_S = 0.02
FILL = """
    WITH source AS (
        SELECT r.pk, r.type, r.id, v.body, row_number() OVER () AS n
        FROM fhir.resource r JOIN fhir.version v ON v.pk = r.pk AND v.version = r.version
        WHERE r.site = 1 AND NOT r.deleted
    ), again AS (
        SELECT s.type, s.body, g AS round, $2::bigint + row_number() OVER () AS pk
        FROM source s, generate_series(1, 1 + $3::bigint / (SELECT max(n) FROM source)) g LIMIT $3
    ), resource AS (
        INSERT INTO fhir.resource (pk, updated, version, site, type, deleted, id)
        SELECT pk, now(), 1, $1::smallint, type, false, 'b' || pk FROM again
    )
    INSERT INTO fhir.version (pk, write_id, updated, version, entry, site, type, op, body)
    SELECT pk, 0, now(), 1, 0, $1::smallint, type, 1, body FROM again"""
BODIES = "SELECT convert_from(body, 'UTF8') FROM fhir.version WHERE site = $1"
FIRST_KEY = 1 << 50


async def figures(server: Server) -> list[Figure]:
    """The limit, the export, and what the export held in memory; the import."""
    server.ecluse("site", "add", "bulk")
    conn = await asyncpg.connect(server.ecluse("dsn"))
    try:
        site = await conn.fetchval("SELECT site FROM fhir.site WHERE name = 'bulk'")
        await conn.execute(FILL, site, FIRST_KEY, RESOURCES)
        await conn.execute("ANALYZE fhir.resource, fhir.version")
        limit = statistics.median([await _copied(conn, site) for _ in range(REPEATS)])
    finally:
        await conn.close()
    runs = [await _exported(server) for _ in range(REPEATS)]
    rate = statistics.median(rate for rate, _, _ in runs)
    growth = max(growth for _, growth, _ in runs)
    held = f"{RESOURCES} resources, {REPEATS} runs"
    return [
        Figure("limit: COPY TO of the same rows", round(limit), "rows/s"),
        Figure("$export", round(rate), "resources/s", 20_000, at_least=True, note=held),
        Figure("$export, share of the limit", round(rate / limit, 3), "", 0.333, at_least=True),
        Figure("$export, growth of the server", round(growth), "MB", 50),
        await _imported(server, runs[-1][2]),
    ]


async def _copied(conn: asyncpg.Connection, site: int) -> float:
    """Rows a second."""

    async def drop(_: bytes) -> None:
        pass

    began = time.monotonic()
    await conn.copy_from_query(BODIES, site, output=drop)
    return RESOURCES / (time.monotonic() - began)


async def _exported(server: Server) -> tuple[float, float, list[str]]:
    """Resources a second from the kick-off to the manifest, MB that the server grew, addresses of the files."""
    serving = server.serving()
    before = most = _rss_mb(serving)
    began = time.monotonic()
    address = _ask(server, "/$export")[1]["content-location"]
    while (answer := _ask(server, address))[0] == 202:
        await asyncio.sleep(LOOK_S)
        most = max(most, _rss_mb(serving))
    rate = RESOURCES / (time.monotonic() - began)
    output = json.loads(answer[2])["output"]
    assert sum(item["count"] for item in output) == RESOURCES
    return rate, most - before, [item["url"] for item in output]


def _rss_mb(processes: list[psutil.Process]) -> float:
    return sum(process.memory_info().rss for process in processes) / 1e6


async def _imported(server: Server, addresses: list[str]) -> Figure:
    """The first lines of the export's largest file, sent to the site again as new resources."""
    files = [_ask(server, address)[2] for address in addresses[:5]]
    lines = max(files, key=len).splitlines()[:IMPORTED]
    body = b"\n".join(line.replace(b'"id":"', b'"id":"i', 1) for line in lines)
    began = time.monotonic()
    address = _ask(server, "/$import", body)[1]["content-location"]
    while (answer := _ask(server, address))[0] == 202:
        await asyncio.sleep(LOOK_S)
    seconds = time.monotonic() - began
    manifest = json.loads(answer[2])
    stored = sum(item["count"] for item in manifest["output"])
    note = f"{stored} lines stored, {len(lines) - stored} refused"
    return Figure("$import", round(len(lines) / seconds), "resources/s", note=note)


def _ask(server: Server, address: str, body: bytes | None = None) -> tuple[int, dict[str, str], bytes]:
    """Status, headers and body of the answer."""
    url = address if "://" in address else f"http://127.0.0.1:{server.port}/sites/bulk/fhir{address}"
    headers = {**ASYNC, "Content-Type": "application/fhir+ndjson"}
    with urllib.request.urlopen(urllib.request.Request(url, body, headers), timeout=600) as answer:
        return answer.status, {name.lower(): value for name, value in answer.headers.items()}, answer.read()

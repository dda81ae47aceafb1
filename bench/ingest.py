"""Transaction bundles in, at several concurrencies; the limit of the machine beside them; what it costs on disk."""

from __future__ import annotations

import asyncio
import time
from pathlib import Path

import asyncpg
import msgspec

from bench.client import Call, Connection, Run, drive
from bench.limit import copy_rows_per_s
from bench.report import Figure
from bench.server import Server
from fhir_server.store.search_rows import TABLES

FIRST = ("hospital", "practitioner", "organization")
CONCURRENCIES = (1, 4, 8)
AT_THE_LIMIT = 4
WARM_UP = 8
"""One bundle of so many is loaded before the clock runs: statements are prepared, checks compiled."""
ENOUGH_BODIES = 20_000
SIZE = """
    SELECT sum(pg_total_relation_size(c.oid))::bigint FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace
    WHERE n.nspname IN ('fhir', 'bus') AND c.relkind = 'r'"""
ROWS = f"SELECT {' + '.join(f'(SELECT count(*) FROM fhir.{table.name})' for table in TABLES.values())}"
BODIES = "SELECT convert_from(body, 'UTF8') FROM fhir.version WHERE body IS NOT NULL LIMIT $1"
COUNT = "SELECT count(*) FROM fhir.resource WHERE version > 0"


class _Bundle(msgspec.Struct):
    entry: list[msgspec.Raw] = []


def bundle(file: Path) -> Call:
    """The file as a request."""
    body = file.read_bytes()
    return Call("POST", "/fhir", body, resources=len(msgspec.json.decode(body, type=_Bundle).entry))


async def figures(server: Server, files: list[Path]) -> list[Figure]:
    """Ingest at each concurrency with every consumer running, each bundle once; /health during the largest one."""
    patients = await _patients(server, files)
    largest = patients.pop()
    found: list[Figure] = []
    for place, concurrency in enumerate(CONCURRENCIES):
        name = f"ingest at {concurrency}, all consumers running"
        found.append(await _at(server, name, patients[place :: len(CONCURRENCIES)], concurrency))
    return [*found, await _health(server, largest)]


async def beside_the_limit(server: Server, files: list[Path]) -> list[Figure]:
    """Ingest with validation, index and outbox but no consumer, and the limit of the same run."""
    figure = await alone(server, files, f"ingest at {AT_THE_LIMIT}, server alone")
    return [figure, *await _limit(server.ecluse("dsn"), figure.value)]


async def alone(server: Server, files: list[Path], name: str) -> Figure:
    """Ingest without consumers, once statements are prepared and checks compiled."""
    patients = await _patients(server, files)
    await drive(server.port, patients[::WARM_UP], AT_THE_LIMIT)
    rest = [call for place, call in enumerate(patients) if place % WARM_UP]
    return await _at(server, name, rest, AT_THE_LIMIT)


async def _patients(server: Server, files: list[Path]) -> list[Call]:
    """The bundles of patients, small ones first, after those that they refer to are loaded."""
    reference = [file for file in files if file.name.lower().startswith(FIRST)]
    await drive(server.port, [bundle(file) for file in reference], 1)
    return sorted((bundle(file) for file in files if file not in reference), key=lambda call: call.resources)


async def _at(server: Server, name: str, calls: list[Call], concurrency: int) -> Figure:
    before = server.cpu_s()
    run = await drive(server.port, calls, concurrency)
    cpu = server.cpu_ms_since(before, run.resources)
    note = (
        f"{run.resources} in {len(calls)} bundles, {run.errors} errors, {cpu} ms CPU a resource (server and database)"
    )
    return Figure(name, round(run.resources / run.seconds), "resources/s", note=note)


async def _limit(store: str, ingest: float) -> list[Figure]:
    conn = await asyncpg.connect(store)
    bodies = [row[0] for row in await conn.fetch(BODIES, ENOUGH_BODIES)]
    await conn.close()
    limit = await copy_rows_per_s(store, bodies)
    share = Figure(
        f"ingest at {AT_THE_LIMIT}, share of the limit",
        round(ingest / limit, 3),
        "",
        0.0667,
        at_least=True,
        note="0.2 wanted",
    )
    return [Figure("limit: COPY of the same bodies", round(limit), "rows/s"), share]


async def _health(server: Server, largest: Call) -> Figure:
    """/health while the largest bundle is taken in."""
    run, done = Run(), asyncio.create_task(drive(server.port, [largest], 1))
    connection = Connection("127.0.0.1", server.port)
    while not done.done():
        began = time.monotonic()
        await connection.send(Call("GET", "/health"))
        run.latencies.append(time.monotonic() - began)
        await asyncio.sleep(0.01)
    connection.close()
    note = f"{len(largest.body) // 1000} kB, {largest.resources} entries"
    return Figure("/health during the largest bundle, p99", run.percentile_ms(0.99), "ms", 100, note=note)


async def sizes(store: str) -> list[Figure]:
    """Bytes and rows a resource."""
    conn = await asyncpg.connect(store)
    size, rows, count = [await conn.fetchval(sql) for sql in (SIZE, ROWS, COUNT)]
    await conn.close()
    return [
        Figure("bytes on disk", round(size / count), "bytes/resource", note="store and bus, indexes included"),
        Figure("search rows", round(rows / count, 1), "rows/resource"),
    ]

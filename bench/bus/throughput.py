"""How fast the relay ships a backlog, and how fast each consumer takes one, from either log.

Enters: a store whose outbox is full, and what ingest reached in the same run. Leaves: events a second beside twice
that, memory over all events, and how soon a consumer that was stopped is up again with the writes that go on.
"""

from __future__ import annotations

import asyncio
import json
import time
import uuid
from collections.abc import Mapping
from contextlib import AbstractContextManager
from dataclasses import dataclass, replace
from pathlib import Path

import asyncpg

from bench.bus.drain import LOOK_EVERY_S, Drain, Position, watch
from bench.bus.part import Part, part
from bench.client import Call, Connection
from bench.report import Figure, Told
from bench.requests import observation
from bench.server import Server
from consumers.search_index.sink import SearchIndexSink
from consumers.warehouse.sink import WarehouseSink
from ecluse.core.fhir import types

HUB_TYPES = ("Patient", "Encounter", "Condition", "Observation")
CONSUMERS = {"warehouse": WarehouseSink.types, "search": SearchIndexSink.types, "hub-bench": frozenset(HUB_TYPES)}
TIMES_INGEST = 2
RELAY_MOST_MB, CONSUMER_MOST_MB = 30, 30
WRITES_A_SECOND = 20
FRESH_S = 1.0
CATCHES_UP_WITHIN_S = 300
LONGEST_S = 60.0
"""A consumer is watched for no longer, unless its memory is what is looked at."""
RELAY = "SELECT coalesce(max(seq), 0) FROM bus.cursor WHERE name = 'relay'"
KAFKA = (
    "SELECT coalesce(sum(next_offset), 0)::bigint FROM bus.consumer_offset WHERE consumer = $1 AND topic <> 'outbox'"
)
EMBEDDED = """
    SELECT coalesce(max(next_offset), 0) FROM bus.consumer_offset
    WHERE consumer = $1 AND topic = 'outbox' AND partition = 0"""
TAKEN = "SELECT count(*) FROM bus.ledger WHERE consumer = $1"
BEGUN = "SELECT bool_and(NOT walking) FROM bus.consumer WHERE consumer = $1"
OF_TYPES = "SELECT count(*) FROM bus.outbox WHERE type = ANY ($1)"
SEEN = "SELECT 1 FROM bus.ledger WHERE consumer = $1 AND id = $2"


@dataclass(frozen=True, slots=True)
class Bench:
    """What is measured. ingest: resources a second at 4, of the same run; events: in the outbox; missed: how many a
    consumer is stopped for; log: embedded or kafka"""

    server: Server
    environment: Mapping[str, str]
    log: str
    ingest: float
    events: int
    missed: int

    def part(self, *words: str) -> AbstractContextManager[Part]:
        """A process of `ecluse`."""
        return part(self.environment, self.server.data / "parts.log", *words)

    async def connect(self) -> asyncpg.Connection:
        """A connection to the one database of all areas."""
        return await asyncpg.connect(self.server.ecluse("dsn"))


async def begin(server: Server, variables: Mapping[str, str]) -> None:
    """Has each consumer begin on an empty store, so that it reads all later events from a log and no snapshot."""
    conn = await asyncpg.connect(server.ecluse("dsn"))
    for name in CONSUMERS:
        with part(variables, server.data / "parts.log", "consume", name):
            while not await conn.fetchval(BEGUN, name):
                await asyncio.sleep(LOOK_EVERY_S)
    await conn.close()


async def relay(bench: Bench) -> list[Figure]:
    """The drain of the whole outbox to Kafka."""
    conn = await bench.connect()
    with bench.part("relay") as running:
        drain = await watch(running, lambda: conn.fetchval(RELAY), enough=bench.events)
    await conn.close()
    target = round(TIMES_INGEST * bench.ingest)
    rate = Figure("relay, drain of the outbox", drain.rate, "events/s", target, at_least=True, note=drain.note)
    return [rate, drain.memory("the relay", RELAY_MOST_MB)]


async def consumers(bench: Bench, told: Told) -> None:
    """Each consumer by itself; the warehouse to all events but those that it is stopped for."""
    conn = await bench.connect()
    for name, kinds in CONSUMERS.items():
        own = await conn.fetchval(OF_TYPES, [types.number_of[kind] for kind in kinds])
        share = own / bench.events
        whole = name == "warehouse" and bench.log == "kafka"
        drain = await _drained(bench, conn, name, share, whole=whole)
        target = round(TIMES_INGEST * bench.ingest * share)
        note = f"{drain.note}; {share:.0%} of all events are for it"
        title = f"{name} from the {bench.log} log"
        told.add(Figure(title, drain.rate, "events/s", target, at_least=True, note=note))
        if whole:
            told.add(drain.memory("the warehouse's consumer", CONSUMER_MOST_MB))
            told.add(await _caught_up(bench, conn, name))
    await conn.close()


async def _drained(bench: Bench, conn: asyncpg.Connection, name: str, share: float, *, whole: bool) -> Drain:
    """In events of its own types: positions of Kafka count the markers of transactions too, the outbox all types."""
    position = _position(bench, conn, name)
    wanted = bench.events - bench.missed if whole else bench.events
    enough = round(wanted * share) if bench.log == "kafka" else wanted
    with bench.part("consume", name) as running:
        drain = await watch(running, position, enough=enough, longest_s=600 if whole else LONGEST_S)
    factor = await conn.fetchval(TAKEN, name) / await position()
    return replace(drain, events=round(drain.events * factor), cpu_ms=round(drain.cpu_ms / factor, 3))


def _position(bench: Bench, conn: asyncpg.Connection, name: str) -> Position:
    async def position() -> int:
        at: int = await conn.fetchval(KAFKA if bench.log == "kafka" else EMBEDDED, name)
        return at

    return position


async def _caught_up(bench: Bench, conn: asyncpg.Connection, name: str) -> Figure:
    """From the start of a consumer that was stopped until it has what was written within the last second."""
    missed = await conn.fetchval(OF_TYPES, [types.number_of[kind] for kind in CONSUMERS[name]])
    missed -= await conn.fetchval(TAKEN, name)
    written: list[tuple[float, str]] = []
    writing = asyncio.create_task(_write(bench.server, written))
    began = time.monotonic()
    try:
        with bench.part("consume", name):
            while not await _fresh(conn, name, written) and time.monotonic() - began < CATCHES_UP_WITHIN_S:
                await asyncio.sleep(0.05)
            seconds = time.monotonic() - began
    finally:
        writing.cancel()
    rate = round(missed / seconds)
    note = f"{missed} events of its own were waiting, {rate}/s came in beside {WRITES_A_SECOND} writes/s"
    return Figure(f"{name} catches up after a stop", round(seconds, 1), "s", CATCHES_UP_WITHIN_S, note=note)


async def _write(server: Server, written: list[tuple[float, str]]) -> None:
    connection, patient = Connection("127.0.0.1", server.port), str(uuid.uuid4())
    body = json.dumps({"resourceType": "Patient", "id": patient, "gender": "female"}).encode()
    await connection.send(Call("PUT", f"/fhir/Patient/{patient}", body))
    while True:
        resource_id = str(uuid.uuid4())
        call = Call("PUT", f"/fhir/Observation/{resource_id}", observation(patient, len(written), resource_id))
        await connection.send(call)
        written.append((time.monotonic(), resource_id))
        await asyncio.sleep(1 / WRITES_A_SECOND)


async def _fresh(conn: asyncpg.Connection, name: str, written: list[tuple[float, str]]) -> bool:
    recent = [own for at, own in written if FRESH_S / 2 < time.monotonic() - at < FRESH_S]
    return bool(recent and await conn.fetchval(SEEN, name, recent[0]))


def environment(server: Server, projects: Path, log: str, bootstrap: str) -> dict[str, str]:
    """The environment of the parts beside this server."""
    return {
        **server.environment,
        "ECLUSE_BUS": log,
        "ECLUSE_KAFKA_BOOTSTRAP": bootstrap,
        "ECLUSE_HUB_PROJECTS": str(projects),
    }

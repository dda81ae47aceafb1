"""The bus's part of `make bench`: one outbox, filled once, is read by all.

    1 ingest   virtual patients at 4, server alone: what the bus is held against; the consumers have begun
               before, on the empty store
    2 fill     copies inside of the database, until the outbox has as many events as asked for
    3 kafka    the relay drains it; POST → record; each consumer; a consumer that was stopped
    4 embedded each consumer on a copy of the same store
    5 history  `ecluse load --history` beside live writes, on either log, with everything running

Enters: whether all of it is wanted or a tenth (`--quick`). Leaves: figures beside their targets.
"""

from __future__ import annotations

import asyncio
import subprocess
from dataclasses import dataclass
from pathlib import Path

from bench import ingest
from bench.bus import history, latency, throughput
from bench.bus.broker import broker
from bench.bus.filling import fill
from bench.bus.throughput import Bench
from bench.report import Figure, Told
from bench.server import Server

LOGS = ("kafka", "embedded")
QUIET = {"ECLUSE_LOG_LEVEL": "warning"}


@dataclass(frozen=True, slots=True)
class Size:
    """How much. events: in the outbox; missed: by a consumer that was stopped; patients, past: to load live and as
    history; seconds: of POST → record"""

    events: int = 500_000
    missed: int = 100_000
    patients: int = 60
    past: int = 1100
    seconds: float = 15


QUICK = Size(events=60_000, missed=15_000, patients=30, past=110, seconds=5)


async def backlog(data: Path, projects: Path, size: Size) -> list[Figure]:
    """Steps 1 to 4. projects: the folder of the hub's project `bench`"""
    told = Told()
    with broker(data / "kafka") as bootstrap:
        await _backlog(told, data, projects, size, bootstrap)
    return told


async def beside_history(data: Path, projects: Path, size: Size) -> list[Figure]:
    """Step 5."""
    told = Told()
    with broker(data / "kafka-history") as bootstrap:
        for log in LOGS:
            told.add(*await _history(data / f"history-{log}", projects, size, log, bootstrap))
    return told


async def _backlog(told: Told, data: Path, projects: Path, size: Size, bootstrap: str) -> None:
    folders = {log: data / f"bus-{log}" for log in LOGS}
    server = Server(folders["kafka"], QUIET, "serve")
    server.start()
    try:
        await throughput.begin(server, throughput.environment(server, projects, "kafka", bootstrap))
        rate = await ingest.alone(server, _patients(server, size.patients), "ingest at 4, of the bus's run")
        told.add(rate)
        events = await fill(server.ecluse("dsn"), size.events)
        server.stop()
        # Keeps the owner, which is not us when we are root.
        subprocess.run(["cp", "-a", str(folders["kafka"]), str(folders["embedded"])], check=True)
        for log in LOGS:
            server = Server(folders[log], QUIET, "serve")
            server.start()
            variables = throughput.environment(server, projects, log, bootstrap)
            bench = Bench(server, variables, log, rate.value, events, size.missed)
            if log == "kafka":
                told.add(*await throughput.relay(bench))
                with bench.part("relay"):
                    told.add(*await latency.figures(server.port, bootstrap, size.seconds))
                    await throughput.consumers(bench, told)
            else:
                await throughput.consumers(bench, told)
            server.stop()
    finally:
        server.stop()


async def _history(data: Path, projects: Path, size: Size, log: str, bootstrap: str) -> list[Figure]:
    variables = {"ECLUSE_BUS": log, "ECLUSE_KAFKA_BOOTSTRAP": bootstrap, "ECLUSE_KAFKA_PREFIX": "history."}
    server = Server(data, {**QUIET, **variables, "ECLUSE_HUB_PROJECTS": str(projects)})
    archive = data.parent / "archive"
    if not archive.exists():
        await asyncio.to_thread(_synthesise, server, size.past, archive)
    server.start()
    try:
        return await history.figures(server, archive, log)
    finally:
        server.stop()


def _patients(server: Server, count: int) -> list[Path]:
    folder = server.data / "bundles"
    _synthesise(server, count, folder)
    return sorted(folder.rglob("*.json"))


def _synthesise(server: Server, count: int, folder: Path) -> None:
    server.ecluse("synth", "--patients", str(count), "--seed", str(count), "--out", str(folder))

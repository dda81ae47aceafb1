"""`make bench`: the limit of the machine, the load, the freshness, bulk data and the bus, each beside its target.

Enters: `--patients N` virtual patients or `--bundles DIR`, `--seconds S` for each timed scenario; `--only server`,
`bus` or `history`; `--quick`, a tenth of the events of bus and history. Leaves: bench/results/last.json and a table.
It starts its own server on the embedded default and its own Kafka, in a folder that it removes.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import os
import platform
import tempfile
import time
from pathlib import Path

from bench import bulk, freshness, ingest, requests, validation, writes
from bench.bus import figures as bus
from bench.report import Figure, as_json, show
from bench.server import Server

RESULTS = Path(__file__).parent / "results"
CALM_S = 10
PARTS = ("server", "bus", "history")
PROJECT = """name: bench
title: Benchmark
types: [Patient, Encounter, Condition, Observation]
recipient: recipient.pub.jwk
start: 1900-01-01
"""


async def measure(options: argparse.Namespace, data: Path) -> list[Figure]:
    """All figures of one run."""
    projects = data / "projects"
    server = Server(data, {"ECLUSE_HUB_PROJECTS": str(projects), "ECLUSE_LOG_LEVEL": "warning"})
    server.ecluse("hub", "keygen", "--out", str(projects / "recipient.jwk"))
    (projects / "bench.yaml").write_text(PROJECT)
    figures = await _server(server, options, data) if "server" in options.only else []
    size = bus.QUICK if options.quick else bus.Size()
    if "bus" in options.only:
        figures += await bus.backlog(data, projects, size)
    if "history" in options.only:
        figures += await bus.beside_history(data, projects, size)
    return figures


async def _server(server: Server, options: argparse.Namespace, data: Path) -> list[Figure]:
    """Those of the server and its sinks, on the embedded log."""
    files = sorted((options.bundles or _synthesised(server, options)).rglob("*.json"))
    alone = Server(data / "alone", {"ECLUSE_LOG_LEVEL": "warning"}, "serve")
    try:
        alone.start()
        figures = await ingest.beside_the_limit(alone, files)
        figures += await writes.figures(alone)
        figures += await requests.figures(alone, options.seconds)
        alone.stop()
        figures += await validation.figures(data / "flagged", files)
        server.start()
        figures += await _under_load(server, files, options.seconds)
        server.stop()
        figures.append(Figure("start on an existing database", round(server.start(), 2), "s", 6))
        figures.append(await _idle(server))
    finally:
        alone.stop()
        server.stop()
    return figures


def _synthesised(server: Server, options: argparse.Namespace) -> Path:
    folder = server.data / "bundles"
    server.ecluse("synth", "--patients", str(options.patients), "--seed", "20", "--out", str(folder))
    return folder


async def _under_load(server: Server, files: list[Path], seconds: float) -> list[Figure]:
    figures = await ingest.figures(server, files)
    began = time.monotonic()
    server.ecluse("wait", "--timeout", "900")
    figures.append(Figure("consumers caught up after the load", round(time.monotonic() - began, 1), "s"))
    figures += await ingest.sizes(server.ecluse("dsn"))
    figures += await freshness.figures(server, max(seconds, 10))
    return figures + await bulk.figures(server)


async def _idle(server: Server) -> Figure:
    await asyncio.sleep(CALM_S)
    memory = server.memory_mb()
    total = round(sum(memory.values()))
    return Figure("idle memory but shared buffers", total, "MB", 500, note=str(memory))


def main() -> None:
    """Runs it."""
    parser = argparse.ArgumentParser(prog="bench")
    parser.add_argument("--patients", type=int, default=60, help="virtual patients to load")
    parser.add_argument("--seconds", type=float, default=4, help="length of each timed scenario")
    parser.add_argument("--bundles", type=Path, help="folder of transaction bundles to load instead")
    parser.add_argument("--only", action="append", choices=PARTS, help="a part; may be repeated; default: all")
    parser.add_argument("--quick", action="store_true", help="a tenth of the events of bus and history")
    options = parser.parse_args()
    options.only = options.only or PARTS
    with tempfile.TemporaryDirectory(prefix="ecluse-bench-") as folder:
        figures = asyncio.run(measure(options, Path(folder)))
    machine = {"cpus": os.cpu_count(), "machine": platform.machine(), "python": platform.python_version()}
    RESULTS.mkdir(exist_ok=True)
    (RESULTS / "last.json").write_text(json.dumps(as_json(figures, machine), indent=1))
    show(figures)


main()

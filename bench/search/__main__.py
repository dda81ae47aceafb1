"""`make bench-search`: each shape of search at concurrency 8, on a store and on one ten times as large.

Enters: `--bundles DIR` of transaction bundles, else virtual patients; `--data DIR` keeps both stores for a next run.
Leaves: bench/results/search.md (what docs/performance.md shows) and search.json. It starts its own servers on the
embedded default.
"""

from __future__ import annotations

import argparse
import asyncio
import re
import shutil
import subprocess
import tempfile
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from pathlib import Path

import asyncpg
import msgspec

from bench.client import drive
from bench.ingest import FIRST, bundle
from bench.search import copies, indexes, measure, report, sample
from bench.search.measure import Measured
from bench.search.scenarios import Scenario, scenarios
from bench.server import Server

RESULTS = Path(__file__).parents[1] / "results"
RESOURCES_A_PATIENT = 280
"""Of the virtual patients, about."""
AT_ONCE = 4
TIMES = 10


@dataclass(frozen=True, slots=True)
class Store:
    """One store that is measured. resources: how many it has"""

    resources: int
    results: list[Measured]
    scans: list[indexes.Scans]


def _server(data: Path) -> Server:
    return Server(data, {"ECLUSE_LOG_LEVEL": "warning", "ECLUSE_VALIDATION": "structure"}, "serve")


async def small_store(options: argparse.Namespace, data: Path) -> None:
    """Loads the bundles, the small ones first, until the store is as large as asked for."""
    server = _server(data)
    server.start()
    try:
        files = sorted((options.bundles or _synthesised(server, options.resources)).rglob("*.json"))
        reference = [file for file in files if file.name.lower().startswith(FIRST)]
        await drive(server.port, [bundle(file) for file in reference], 1)
        loaded = 0
        patients = sorted((file for file in files if file not in reference), key=lambda file: file.stat().st_size)
        while patients and loaded < options.resources:
            calls = [bundle(file) for file in patients[:AT_ONCE]]
            del patients[:AT_ONCE]
            run = await drive(server.port, calls, AT_ONCE)
            if run.errors:
                raise RuntimeError(f"{run.errors} bundles were refused")
            loaded += run.resources
        await copies.settle(server.ecluse("dsn"))
    finally:
        server.stop()


def _synthesised(server: Server, resources: int) -> Path:
    folder = server.data / "bundles"
    patients = -(-resources // RESOURCES_A_PATIENT)
    server.ecluse("synth", "--patients", str(patients), "--seed", "20", "--out", str(folder))
    return folder


async def large_store(small: Path, data: Path) -> None:
    """The small store, with copies of all its resources beside them."""
    subprocess.run(["cp", "-a", str(small), str(data)], check=True)
    server = _server(data)
    server.start()
    try:
        await copies.make(server.ecluse("dsn"), TIMES - 1)
    finally:
        server.stop()


async def measured(options: argparse.Namespace, data: Path) -> Store:
    """All scenarios on one store."""
    server = _server(data)
    server.start()
    conn = await asyncpg.connect(server.ecluse("dsn"))
    try:
        chosen = _chosen(options.only, scenarios(await sample.take(conn)))
        await indexes.reset(conn)
        results = [await measure.one(server, conn, each, options.seconds) for each in chosen]
        return Store(await sample.resources(conn), results, await indexes.scans(conn))
    finally:
        await conn.close()
        server.stop()


def _chosen(only: str, found: list[Scenario]) -> list[Scenario]:
    return [each for each in found if re.search(only, each.name)]


async def run(options: argparse.Namespace, data: Path) -> list[Store]:
    """Both stores, made if they are not there."""
    small, large = data / "small", data / "large"
    await _made(small, lambda: small_store(options, small))
    stores = [await measured(options, small)]
    if not options.small_only:
        await _made(large, lambda: large_store(small, large))
        stores.append(await measured(options, large))
    return stores


async def _made(folder: Path, make: Callable[[], Awaitable[None]]) -> None:
    """Makes a store that is not there, or was not made to the end."""
    done = folder.with_suffix(".done")
    if not done.exists():
        if folder.exists():
            shutil.rmtree(folder)
        await make()
        done.touch()


def main() -> None:
    """Runs it."""
    parser = argparse.ArgumentParser(prog="bench.search")
    parser.add_argument("--bundles", type=Path, help="folder of transaction bundles instead of virtual patients")
    parser.add_argument("--resources", type=int, default=150_000, help="how many resources to load at least")
    parser.add_argument("--seconds", type=float, default=4, help="length of each timed scenario")
    parser.add_argument("--data", type=Path, help="folder that keeps the stores for a next run")
    parser.add_argument("--only", default="", help="regular expression: these scenarios alone")
    parser.add_argument("--small-only", action="store_true", help="leave the large store out")
    options = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="ecluse-bench-search-") as folder:
        data = options.data or Path(folder)
        data.mkdir(parents=True, exist_ok=True)
        stores = asyncio.run(run(options, data))
    RESULTS.mkdir(exist_ok=True)
    (RESULTS / "search.json").write_bytes(msgspec.json.format(msgspec.json.encode(stores)))
    table = report.tables([(store.resources, store.results) for store in stores], stores[-1].scans)
    (RESULTS / "search.md").write_text(table)
    print(table)


if __name__ == "__main__":
    main()

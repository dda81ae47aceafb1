"""The freshness of live writes while an archive is loaded beside them.

Enters: a running `ecluse up`, and a folder of virtual patients. Leaves: the time until each sink shows a live write,
as long as `ecluse load --history` runs.
"""

from __future__ import annotations

import asyncio
import subprocess
import sys
import time
from pathlib import Path

import asyncpg

from bench import freshness
from bench.client import Run
from bench.report import Figure
from bench.server import Server

WARM_S = 3.0
"""The first writes after a start find statements that are not prepared yet."""
WINDOW_S = 10.0
"""The first window is told apart: a broker that has just started compiles its code then."""
LONGEST_S = 1200
MOST_MS = 1000
LOADED = "SELECT count(*) FROM bus.outbox WHERE lane = 1"


async def figures(server: Server, archive: Path, log: str) -> list[Figure]:
    """p99 of each sink, and how fast the archive came in meanwhile."""
    conn = await asyncpg.connect(server.ecluse("dsn"))
    await freshness.measure(server, conn, WARM_S)
    before = await freshness.measure(server, conn, WINDOW_S)
    began = time.monotonic()
    command = [sys.executable, "-m", "ecluse", "load", "--history", str(archive)]
    with (server.data / "load.log").open("ab") as out:
        loading = subprocess.Popen(command, env=server.environment, stdout=out, stderr=out)
    runs: dict[str, Run] = {}
    try:
        first = await freshness.measure(server, conn, WINDOW_S)
        while loading.poll() is None and time.monotonic() - began < LONGEST_S:
            for name, run in (await freshness.measure(server, conn, WINDOW_S)).items():
                whole = runs.setdefault(name, Run())
                whole.latencies += run.latencies
                whole.errors += run.errors
    finally:
        loading.terminate()
        await asyncio.to_thread(loading.wait)
    seconds, loaded = time.monotonic() - began, await conn.fetchval(LOADED)
    await conn.close()
    note = f"{loaded} resources, while {freshness.WRITES_A_SECOND} live writes/s went on"
    return [
        Figure(f"history comes in, {log} log", round(loaded / seconds), "resources/s", note=note),
        *(_figure(name, run, before[name], first[name], log) for name, run in (runs or first).items()),
    ]


def _figure(name: str, run: Run, before: Run, first: Run, log: str) -> Figure:
    alone = f"before it {before.percentile_ms(0.5)} and {before.percentile_ms(0.99)} ms"
    alone += f", in the first {WINDOW_S:.0f} s {first.percentile_ms(0.5)} and {first.percentile_ms(0.99)} ms"
    note = f"p50 {run.percentile_ms(0.5)} ms of {len(run.latencies)}, {run.errors} not seen; {alone}"
    title = f"{name} while history loads, {log} log, p99"
    return Figure(title, run.percentile_ms(0.99), "ms", MOST_MS, note=note)

"""`make bench`: the limit of the machine, the load and the freshness, each beside its target.

Enters: `--patients N` virtual patients, `--seconds S` for each timed scenario. Leaves: bench/results/last.json and a
table. It starts its own server on the embedded default, in a folder that it removes."""

from __future__ import annotations

import argparse
import asyncio
import json
import os
import platform
import tempfile
from pathlib import Path

from bench import scenarios
from bench.report import Figure, as_json, show
from bench.server import Server

RESULTS = Path(__file__).parent / "results"


async def measure(options: argparse.Namespace, data: Path) -> list[Figure]:
    """All figures of one run."""
    server = Server(data, scenarios.variables(data))
    figures: list[Figure] = []
    try:
        server.start()
        figures += await scenarios.all_figures(server, options.patients, options.seconds, options.bundles)
        server.stop()
        figures.append(Figure("start on an existing database", round(server.start(), 2), "s", 6))
        await asyncio.sleep(10)
        memory = server.memory_mb()
        figures.append(
            Figure(
                "idle memory but shared buffers",
                memory["ours"] + memory["database_private"],
                "MB",
                500,
                note=str(memory),
            )
        )
    finally:
        server.stop()
    return figures


def main() -> None:
    """Runs it."""
    parser = argparse.ArgumentParser(prog="bench")
    parser.add_argument("--patients", type=int, default=60, help="virtual patients to load")
    parser.add_argument("--seconds", type=float, default=4, help="length of each timed scenario")
    parser.add_argument(
        "--bundles", type=Path, help="folder of transaction bundles to load instead, Synthea's for example"
    )
    options = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="ecluse-bench-") as folder:
        os.chmod(folder, 0o755)
        figures = asyncio.run(measure(options, Path(folder)))
    machine = {"cpus": os.cpu_count(), "machine": platform.machine(), "python": platform.python_version()}
    RESULTS.mkdir(exist_ok=True)
    (RESULTS / "last.json").write_text(json.dumps(as_json(figures, machine), indent=1))
    show(figures)


main()

"""A real Kafka broker for a run: one KRaft node from its Maven jars, on ports of its own.

Enters: a folder. Leaves: a broker that answers, ended with the block.
"""

from __future__ import annotations

import os
import subprocess
import time
from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path
from socket import socket

ROOT = Path(__file__).parents[2]
OPTIONS = "-Xms1g -Xmx1g"
"""Java's own compilers and memory enough, as a site runs a broker; tests want a quick start instead."""
STARTS_WITHIN_S = 240
"""The first start of a fresh clone fetches the jars."""


@contextmanager
def broker(folder: Path) -> Iterator[str]:
    """Its address, once it answers."""
    folder.mkdir(parents=True)
    port, controller = _free_port(), _free_port()
    command = [str(ROOT / "tools/kafka/start.sh"), str(folder), str(port), str(controller)]
    with (folder / "broker.log").open("ab") as log:
        process = subprocess.Popen(command, stdout=log, stderr=log, env={**os.environ, "KAFKA_JAVA": OPTIONS})
    try:
        _wait(process, port, folder / "broker.log")
        yield f"127.0.0.1:{port}"
    finally:
        process.terminate()
        process.wait(60)


def _wait(process: subprocess.Popen[bytes], port: int, log: Path) -> None:
    deadline = time.monotonic() + STARTS_WITHIN_S
    while time.monotonic() < deadline and process.poll() is None:
        with closing(socket()) as probe:
            if probe.connect_ex(("127.0.0.1", port)) == 0:
                return
        time.sleep(0.1)
    raise RuntimeError(f"Kafka does not answer; see {log}")


def _free_port() -> int:
    with closing(socket()) as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])

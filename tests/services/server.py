"""Starts and ends the real server, as an operator does."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import httpx

from tests.services.ports import free_port

STARTS_WITHIN_S = 120


@dataclass(slots=True)
class Served:
    """A running `ecluse serve` or `ecluse up`."""

    url: str
    port: int
    process: subprocess.Popen[bytes]
    environment: dict[str, str]
    log: Path

    def ecluse(self, *words: str, timeout_s: float = 120) -> str:
        """What a command printed; it must succeed."""
        done = self.run(*words, timeout_s=timeout_s)
        assert done.returncode == 0, f"{words}: {done.stdout}\n{done.stderr}"
        return done.stdout

    def refused(self, *words: str) -> str:
        """What a command said; it must fail."""
        done = self.run(*words)
        assert done.returncode != 0, f"{words}: {done.stdout}\n{done.stderr}"
        return done.stderr

    def run(self, *words: str, timeout_s: float = 120) -> subprocess.CompletedProcess[str]:
        """What came of a command."""
        command = [sys.executable, "-m", "ecluse", *words]
        return subprocess.run(
            command, env=self.environment, capture_output=True, text=True, timeout=timeout_s, check=False
        )

    def events(self) -> dict[str, Any]:
        """What has been sent on the bus, as each consumer's lag and books tell it."""
        status = httpx.get(f"{self.url}/status.json", timeout=30).json()
        return {consumer["name"]: (consumer["received"], consumer["lag_events"]) for consumer in status["consumers"]}

    def wait_until_healthy(self) -> None:
        """Returns when the server answers."""
        deadline = time.monotonic() + STARTS_WITHIN_S
        while time.monotonic() < deadline:
            try:
                if httpx.get(f"{self.url}/health", timeout=2).status_code == 200:
                    return
            except httpx.TransportError:
                pass
            if self.process.poll() is not None:
                break
            time.sleep(0.05)
        raise AssertionError(f"the server did not start:\n{self.log.read_text()[-4000:]}")

    def stop(self) -> None:
        """Ends it as an operator would; kills it when it does not listen."""
        if self.process.poll() is None:
            self.process.send_signal(signal.SIGTERM)
            try:
                self.process.wait(30)
            except subprocess.TimeoutExpired:
                self.process.kill()
                self.process.wait()


@contextmanager
def serving(data: Path, *words: str, port: int | None = None, **variables: str) -> Iterator[Served]:
    """A running server of one process, unless told otherwise. words: the command, `serve` unless given; variables:
    settings"""
    port = port or free_port()
    kept = {name: value for name, value in os.environ.items() if not name.startswith("ECLUSE_")}
    own = {"ECLUSE_DATA": str(data), "ECLUSE_PORT": str(port), "ECLUSE_WORKERS": "1"}
    environment = {**kept, **own, **variables}
    log = data / f"served-{port}.log"
    data.mkdir(parents=True, exist_ok=True)
    with log.open("ab") as out:
        command = [sys.executable, "-m", "ecluse", *(words or ("serve",))]
        process = subprocess.Popen(command, env=environment, stdout=out, stderr=out)
    served = Served(f"http://127.0.0.1:{port}", port, process, environment, log)
    try:
        served.wait_until_healthy()
        yield served
    finally:
        served.stop()

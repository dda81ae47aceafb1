"""A real Kafka broker for tests: one KRaft node from its Maven jars, on ports of its own."""

from __future__ import annotations

import signal
import socket
import subprocess
import time
from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path

from tests.services.ports import free_port

ROOT = Path(__file__).parents[2]
STARTS_WITHIN_S = 240
"""The first start of a fresh clone fetches the jars."""


class Broker:
    """A broker that can be killed and started again with what it has stored."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.port, self._controller = free_port(), free_port()
        self.bootstrap = f"127.0.0.1:{self.port}"
        self._process: subprocess.Popen[bytes] | None = None
        folder.mkdir(parents=True, exist_ok=True)

    def start(self) -> None:
        """Returns when the broker answers."""
        command = [ROOT / "tools" / "kafka" / "start.sh", self.folder, str(self.port), str(self._controller)]
        with (self.folder / "broker.log").open("ab") as log:
            self._process = subprocess.Popen(command, stdout=log, stderr=log)
        self._wait()

    def kill(self) -> None:
        """Ends the broker at once, as a power cut does."""
        self._end(signal.SIGKILL)

    def stop(self) -> None:
        """Ends the broker."""
        self._end(signal.SIGTERM)

    def _end(self, number: int) -> None:
        process, self._process = self._process, None
        if process is not None:
            process.send_signal(number)
            try:
                process.wait(30)
            except subprocess.TimeoutExpired:
                process.kill()
                process.wait()

    def _wait(self) -> None:
        deadline = time.monotonic() + STARTS_WITHIN_S
        while time.monotonic() < deadline:
            assert self._process is not None and self._process.poll() is None, (self.folder / "broker.log").read_text()
            with closing(socket.socket()) as probe:
                if probe.connect_ex(("127.0.0.1", self.port)) == 0:
                    return
            time.sleep(0.1)
        raise AssertionError(f"Kafka did not answer; see {self.folder / 'broker.log'}")


@contextmanager
def broker(folder: Path) -> Iterator[Broker]:
    """A running broker, ended with the block, also when it did not start."""
    running = Broker(folder)
    try:
        running.start()
        yield running
    finally:
        running.stop()

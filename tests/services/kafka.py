"""A real Kafka for tests: one KRaft node from its Maven jars, or three that form a cluster, on ports of their own."""

from __future__ import annotations

import signal
import socket
import subprocess
import time
from collections.abc import Iterator, Sequence
from contextlib import closing, contextmanager
from pathlib import Path

from tests.services.ports import free_port

ROOT = Path(__file__).parents[2]
STARTS_WITHIN_S = 240
"""The first start of a fresh clone fetches the jars."""


class Broker:
    """A broker that can be killed, held and started again with what it has stored."""

    def __init__(self, folder: Path, node: int = 1) -> None:
        self.folder = folder
        self.node = node
        self.port, controller = free_port(), free_port()
        self.voter = f"{node}@127.0.0.1:{controller}"
        self.bootstrap = f"127.0.0.1:{self.port}"
        self._voters = ""
        self._process: subprocess.Popen[bytes] | None = None
        folder.mkdir(parents=True, exist_ok=True)

    def join(self, voters: Sequence[str]) -> None:
        """Makes it one of a cluster. voters: of all its nodes"""
        self._voters = ",".join(voters)

    def start(self) -> None:
        """Returns when the broker answers."""
        self.launch()
        self.wait()

    def launch(self) -> None:
        """Starts the broker; of a cluster, two must run before one answers."""
        controller = self.voter.rpartition(":")[2]
        cluster = [str(self.node), self._voters] if self._voters else []
        command = [str(ROOT / "tools/kafka/start.sh"), str(self.folder), str(self.port), controller, *cluster]
        with (self.folder / "broker.log").open("ab") as log:
            self._process = subprocess.Popen(command, stdout=log, stderr=log)

    def signal(self, number: int) -> None:
        """Sends it a signal, SIGSTOP or SIGCONT."""
        if self._process is not None:
            self._process.send_signal(number)

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

    def wait(self) -> None:
        """Returns when the broker answers."""
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


@contextmanager
def cluster(folder: Path, nodes: int = 3) -> Iterator[list[Broker]]:
    """Running brokers that hold each record three times, ended with the block."""
    brokers = [Broker(folder / f"broker-{node}", node) for node in range(1, nodes + 1)]
    try:
        for broker in brokers:
            broker.join([other.voter for other in brokers])
            broker.launch()
        for broker in brokers:
            broker.wait()
        yield brokers
    finally:
        for broker in brokers:  # one that is asked to end waits for the others
            broker.kill()

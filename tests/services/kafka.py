"""A real Kafka broker for tests: one KRaft node from its Maven jars, on ports of its own."""

from __future__ import annotations

import fcntl
import signal
import socket
import subprocess
import time
from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path

ROOT = Path(__file__).parents[2]
JARS = ROOT / ".cache" / "kafka" / "lib"
STARTS_WITHIN_S = 60

PROPERTIES = """
process.roles=broker,controller
node.id=1
controller.quorum.bootstrap.servers=127.0.0.1:{controller}
listeners=PLAINTEXT://127.0.0.1:{port},CONTROLLER://127.0.0.1:{controller}
advertised.listeners=PLAINTEXT://127.0.0.1:{port}
controller.listener.names=CONTROLLER
log.dirs={folder}/data
offsets.topic.replication.factor=1
offsets.topic.num.partitions=4
transaction.state.log.replication.factor=1
transaction.state.log.min.isr=1
transaction.state.log.num.partitions=4
group.initial.rebalance.delay.ms=0
auto.create.topics.enable=false
"""


class Broker:
    """A broker that can be killed and started again with what it has stored."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.port, self._controller = _free_ports(2)
        self.bootstrap = f"127.0.0.1:{self.port}"
        self._process: subprocess.Popen[bytes] | None = None
        folder.mkdir(parents=True, exist_ok=True)
        properties = PROPERTIES.format(folder=folder, port=self.port, controller=self._controller)
        self._properties = folder / "server.properties"
        self._properties.write_text(properties)

    def start(self) -> None:
        """Returns when the broker answers."""
        _fetch_jars()
        if not (self.folder / "data" / "meta.properties").exists():
            words = ["format", "--standalone", "-t", "MkU3OEVBNTcwNTJENDM2Qk", "-c", str(self._properties)]
            done = subprocess.run(self._java("kafka.tools.StorageTool", *words), capture_output=True, check=False)
            assert done.returncode == 0, done.stdout.decode() + done.stderr.decode()
        with (self.folder / "broker.log").open("ab") as log:
            command = self._java("kafka.Kafka", str(self._properties))
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
            process.wait(30)

    def _wait(self) -> None:
        deadline = time.monotonic() + STARTS_WITHIN_S
        while time.monotonic() < deadline:
            assert self._process is not None and self._process.poll() is None, (self.folder / "broker.log").read_text()
            with closing(socket.socket()) as probe:
                if probe.connect_ex(("127.0.0.1", self.port)) == 0:
                    return
            time.sleep(0.1)
        raise AssertionError(f"Kafka did not answer; see {self.folder / 'broker.log'}")

    def _java(self, *words: str) -> list[str]:
        return ["java", "-Xmx512m", "-XX:TieredStopAtLevel=1", "-cp", f"{JARS}/*", *words]


@contextmanager
def broker(folder: Path) -> Iterator[Broker]:
    """A running broker, ended with the block."""
    running = Broker(folder)
    running.start()
    try:
        yield running
    finally:
        running.stop()


def _fetch_jars() -> None:
    JARS.parent.mkdir(parents=True, exist_ok=True)
    with (JARS.parent / "lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        if not (JARS / "complete").exists():
            goal = ["dependency:copy-dependencies", f"-DoutputDirectory={JARS}", "-DincludeScope=runtime"]
            pom = ROOT / "tools" / "kafka" / "pom.xml"
            subprocess.run(["mvn", "-q", "-B", "-f", str(pom), *goal], check=True)
            (JARS / "complete").touch()


def _free_ports(count: int) -> list[int]:
    with_ports = [socket.socket() for _ in range(count)]
    for each in with_ports:
        each.bind(("127.0.0.1", 0))
    ports = [each.getsockname()[1] for each in with_ports]
    for each in with_ports:
        each.close()
    return ports

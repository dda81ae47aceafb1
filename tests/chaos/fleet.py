"""The processes of a system, each started by itself and started again when it ends, as a service manager does."""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

import httpx
import psutil

from tests.services.kafka import Broker, cluster
from tests.services.ports import free_port

LOOK_EVERY_S = 0.2
STARTS_WITHIN_S = 180.0
ENDS_WITHIN_S = 30.0
CONSUMERS = ("warehouse", "search", "hub-trial")


@dataclass(slots=True)
class Part:
    """One process and what it is started by; wanted: whether it is to run."""

    name: str
    command: Sequence[str]
    process: subprocess.Popen[bytes] | None = None
    wanted: bool = True
    starts: int = 0


@dataclass(slots=True)
class Fleet:
    """A database, a server, two relays, consumers and three brokers."""

    folder: Path
    brokers: list[Broker]
    environment: dict[str, str]
    parts: dict[str, Part] = field(default_factory=dict)
    database_url: str = ""
    _lock: threading.RLock = field(default_factory=threading.RLock)
    _ending: threading.Event = field(default_factory=threading.Event)

    @property
    def url(self) -> str:
        """Base address of the server."""
        return f"http://127.0.0.1:{self.environment['ECLUSE_PORT']}"

    @property
    def bootstrap(self) -> str:
        """Address of the brokers."""
        return self.environment["ECLUSE_KAFKA_BOOTSTRAP"]

    def start(self) -> None:
        """Returns when the server answers; everything else has been started."""
        self._open_database()
        self.ecluse("site", "list")
        for name, *words in (("server", "serve"), ("relay-1", "relay"), ("relay-2", "relay")):
            self.add(name, *words)
        for name in CONSUMERS:
            self.add(name, "consume", name)
        threading.Thread(target=self._keep, daemon=True).start()
        self.wait_healthy()

    def add(self, name: str, *words: str) -> None:
        """Starts one more process, `ecluse` with these words."""
        with self._lock:
            self.parts[name] = Part(name, (sys.executable, "-m", "ecluse", *words))
            self._launch(self.parts[name])

    def remove(self, name: str) -> None:
        """Ends one for good."""
        with self._lock:
            part = self.parts.pop(name)
            part.wanted = False
        if part.process is not None:
            _end(part.process)

    def ecluse(self, *words: str, timeout_s: float = 120) -> str:
        """What a command printed; it must succeed."""
        done = subprocess.run(
            [sys.executable, "-m", "ecluse", *words],
            env=self.environment,
            capture_output=True,
            text=True,
            timeout=timeout_s,
            check=False,
        )
        if done.returncode:
            raise AssertionError(f"{words}: {done.stdout}\n{done.stderr}")
        return done.stdout

    def wait_healthy(self) -> None:
        """Returns when the server answers."""
        deadline = time.monotonic() + STARTS_WITHIN_S
        while time.monotonic() < deadline:
            try:
                if httpx.get(f"{self.url}/health", timeout=5).is_success:
                    return
            except httpx.TransportError:
                pass
            time.sleep(LOOK_EVERY_S)
        raise AssertionError(f"the server did not answer: {(self.folder / 'server.log').read_text()[-3000:]}")

    def processes(self, name: str) -> list[psutil.Process]:
        """A part's process and its children; of the database the postmaster alone."""
        if name == "database":
            pid = int((self._cluster / "postmaster.pid").read_text().split()[0])
            return [psutil.Process(pid)]
        process = self.parts[name].process
        assert process is not None
        own = psutil.Process(process.pid)
        return [own, *own.children(recursive=True)]

    def save(self) -> None:
        """Copies the database, as a backup does; everything but the brokers stands still meanwhile."""
        with self._still():
            subprocess.run(["cp", "-a", self._cluster, self._saved], check=True)  # with the owners of its files

    def go_back(self) -> None:
        """Recovers the database from the copy, on a new timeline; files of the text index stay as they are."""
        with self._still():
            shutil.rmtree(self._cluster)
            self._saved.rename(self._cluster)
            (self._cluster / "recovery.signal").touch()
            with (self._cluster / "postgresql.auto.conf").open("a") as settings:
                settings.write("restore_command = 'false'\n")
            owner = self._cluster.stat()
            os.chown(self._cluster / "recovery.signal", owner.st_uid, owner.st_gid)

    @property
    def _cluster(self) -> Path:
        return self.folder / "data" / "postgres" / "cluster"

    @property
    def _saved(self) -> Path:
        return self.folder / "saved"

    @contextmanager
    def _still(self) -> Iterator[None]:
        """Ends every process but the brokers, and starts them again at the end."""
        with self._lock:
            parts = list(self.parts.values())
            for part in reversed(parts):
                if part.process is not None:
                    _end(part.process)
            yield
            self._open_database()
            for part in parts:
                if part.name != "database":
                    self._launch(part)
        self.wait_healthy()

    def stop(self) -> None:
        """Ends everything but the brokers."""
        self._ending.set()
        with self._lock:
            ending = [part.process for part in reversed(self.parts.values()) if part.process is not None]
        for process in ending:
            _end(process)

    def _open_database(self) -> None:
        owner = Part("database", (sys.executable, "-m", "tests.services.owner", str(self.folder / "data")))
        with (self.folder / "database.log").open("ab") as log:
            owner.process = subprocess.Popen(owner.command, stdout=subprocess.PIPE, stderr=log, env=self.environment)
        assert owner.process.stdout is not None
        self.database_url = owner.process.stdout.readline().decode().strip()
        self.environment["ECLUSE_DATABASE_URL"] = self.database_url
        self.parts["database"] = owner

    def _launch(self, part: Part) -> None:
        part.starts += 1
        with (self.folder / f"{part.name}.log").open("ab") as log:
            part.process = subprocess.Popen(part.command, env=self.environment, stdout=log, stderr=log)

    def _keep(self) -> None:
        while not self._ending.wait(LOOK_EVERY_S):
            with self._lock:
                for part in self.parts.values():
                    if part.wanted and part.process is not None and part.process.poll() is not None:
                        self._launch(part)


@contextmanager
def fleet(folder: Path, hub: Path) -> Iterator[Fleet]:
    """A running system in a folder, ended with the block. hub: folder of hub projects"""
    with cluster(folder / "kafka") as brokers:
        kept = {name: value for name, value in os.environ.items() if not name.startswith("ECLUSE_")}
        environment = kept | {
            "ECLUSE_DATA": str(folder / "data"),
            "ECLUSE_PORT": str(free_port()),
            "ECLUSE_HUB_PROJECTS": str(hub),
            "ECLUSE_BUS": "kafka",
            "ECLUSE_KAFKA_BOOTSTRAP": ",".join(broker.bootstrap for broker in brokers),
            "ECLUSE_KAFKA_PARTITIONS": "3",
            "ECLUSE_KAFKA_REPLICATION": "3",
        }
        running = Fleet(folder, brokers, environment)
        try:
            running.start()
            yield running
        finally:
            running.stop()


def _end(process: subprocess.Popen[bytes]) -> None:
    if process.poll() is None:
        process.send_signal(signal.SIGCONT)
        process.terminate()
        try:
            process.wait(ENDS_WITHIN_S)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()
    if process.stdout is not None:
        process.stdout.close()

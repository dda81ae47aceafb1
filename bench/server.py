"""The server under test: its own processes on its own data, and what they cost.

Enters: a folder. Leaves: a running `ecluse up` or `ecluse serve`; CPU seconds and memory of server and database.
"""

from __future__ import annotations

import os
import signal
import socket
import subprocess
import sys
import time
import urllib.request
from contextlib import suppress
from pathlib import Path

import psutil

STARTS_WITHIN_S = 120


class Server:
    """One `ecluse up`, or `ecluse serve` alone, on a folder of its own."""

    def __init__(self, data: Path, variables: dict[str, str], part: str = "up") -> None:
        with socket.socket() as probe:
            probe.bind(("127.0.0.1", 0))
            self.port = int(probe.getsockname()[1])
        kept = {name: value for name, value in os.environ.items() if not name.startswith("ECLUSE_")}
        self.environment = {**kept, **variables, "ECLUSE_DATA": str(data), "ECLUSE_PORT": str(self.port)}
        self.data = data
        self.data.mkdir(exist_ok=True)
        self._part = part
        self._process: subprocess.Popen[bytes] | None = None

    def start(self) -> float:
        """Seconds from the start to the first answer of /fhir/metadata."""
        began = time.monotonic()
        with (self.data / "up.log").open("ab") as log:
            self._process = subprocess.Popen(
                [sys.executable, "-m", "ecluse", self._part], env=self.environment, stdout=log, stderr=log
            )
        while time.monotonic() - began < STARTS_WITHIN_S:
            try:
                urllib.request.urlopen(f"http://127.0.0.1:{self.port}/fhir/metadata", timeout=5).read()
                return time.monotonic() - began
            except OSError:
                time.sleep(0.02)
        raise RuntimeError(f"the server did not start; see {self.data / 'up.log'}")

    def stop(self) -> None:
        """Ends it as an operator would."""
        if self._process is not None:
            self._process.send_signal(signal.SIGTERM)
            self._process.wait(60)
            self._process = None

    def ecluse(self, *words: str) -> str:
        """What a command printed."""
        command = [sys.executable, "-m", "ecluse", *words]
        return subprocess.run(
            command, env=self.environment, capture_output=True, text=True, check=True, timeout=600
        ).stdout.strip()

    def cpu_s(self) -> dict[str, float]:
        """CPU seconds so far of the FHIR server, the database and everything else of ours."""
        spent = {"server": 0.0, "database": 0.0, "consumers": 0.0}
        for process in self._processes():
            with suppress(psutil.NoSuchProcess):  # a worker of autovacuum ends when it is done
                times = process.cpu_times()
                spent[_part(process)] += times.user + times.system
        return spent

    def cpu_ms_since(self, before: dict[str, float], count: int) -> float:
        """Milliseconds of server and database since then, for each of `count`."""
        after = self.cpu_s()
        spent = sum(after[part] - before[part] for part in ("server", "database"))
        return round(1000 * spent / max(count, 1), 3)

    def memory_mb(self) -> dict[str, float]:
        """Resident memory of our processes, and what the database's hold apart from its shared buffers."""
        held = {"ours": 0.0, "database_private": 0.0}
        for process in self._processes():
            with suppress(psutil.NoSuchProcess):
                full = process.memory_full_info()
                if _part(process) == "database":
                    held["database_private"] += full.uss / 1e6
                else:
                    held["ours"] += full.rss / 1e6
        return {name: round(value, 1) for name, value in held.items()}

    def serving(self) -> list[psutil.Process]:
        """The processes that answer requests: the server and its workers."""
        assert self._process is not None
        found: list[psutil.Process] = []
        for child in psutil.Process(self._process.pid).children(recursive=True):
            with suppress(psutil.NoSuchProcess):
                if _part(child) == "server":
                    found += [each for each in (child, *child.children()) if _part(each) != "database"]
        return found

    def _processes(self) -> list[psutil.Process]:
        """All processes of ours, and the postmaster's, which may not be our child."""
        assert self._process is not None
        found = {p.pid: p for p in psutil.process_iter(["cmdline"]) if self._is_database(p)}
        parent = psutil.Process(self._process.pid)
        for process in (parent, *parent.children(recursive=True)):
            found[process.pid] = process
        for process in list(found.values()):
            with suppress(psutil.NoSuchProcess):
                found.update({child.pid: child for child in process.children(recursive=True)})
        return list(found.values())

    def _is_database(self, process: psutil.Process) -> bool:
        words = process.info["cmdline"] or []
        return any(str(self.data) in word for word in words) and any("postgres" in word for word in words[:1])


def _part(process: psutil.Process) -> str:
    if "postgres" in process.name():
        return "database"
    family = (process, *process.parents()[:1])  # a worker is a child of `ecluse serve` with words of its own
    return "server" if any("serve" in each.cmdline() for each in family) else "consumers"

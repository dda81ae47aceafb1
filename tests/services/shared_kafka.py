"""One broker for all processes of a test run.

The first process that asks starts a host. The host holds the broker, and ends it when it is told to or when the test
run is gone, however it went.
"""

from __future__ import annotations

import fcntl
import signal
import subprocess
import sys
import threading
import time
from pathlib import Path

import psutil

from tests.services.kafka import ROOT, broker

STARTS_WITHIN_S = 300


def bootstrap(folder: Path, run: int) -> str:
    """The address of the broker of a test run, started when it does not run yet.

    folder: the run's own; run: pid of the process that holds the run
    """
    with (folder / "kafka.lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        address = folder / "kafka.address"
        if not address.exists():
            with (folder / "kafka.log").open("ab") as log:
                command = [sys.executable, "-m", __name__, str(folder), str(run)]
                host = subprocess.Popen(command, cwd=ROOT, stdout=log, stderr=log, start_new_session=True)
            (folder / "kafka.pid").write_text(str(host.pid))
            _wait(host, address)
            host.returncode = 0  # it outlives this process, which is not an error
        return address.read_text()


def _wait(host: subprocess.Popen[bytes], address: Path) -> None:
    deadline = time.monotonic() + STARTS_WITHIN_S
    while not address.exists():
        if host.poll() is not None or time.monotonic() > deadline:
            raise AssertionError((address.parent / "kafka.log").read_text())
        time.sleep(0.05)


def end(folder: Path) -> None:
    """Ends the broker of a test run, if there is one."""
    if (folder / "kafka.pid").exists():
        try:
            host = psutil.Process(int((folder / "kafka.pid").read_text()))
            host.terminate()
            host.wait(60)
        except psutil.NoSuchProcess:
            return


def _host(folder: Path, run: int) -> None:
    told = threading.Event()
    signal.signal(signal.SIGTERM, lambda *_: told.set())
    with broker(folder / "kafka") as running:
        (folder / "kafka.address.new").write_text(running.bootstrap)
        (folder / "kafka.address.new").rename(folder / "kafka.address")
        while psutil.pid_exists(run) and not told.wait(1):
            pass


if __name__ == "__main__":
    _host(Path(sys.argv[1]), int(sys.argv[2]))

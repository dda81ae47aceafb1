"""One part of `ecluse` in a process of its own: the relay, or a consumer.

Enters: the environment of the server beside it, and the words behind `ecluse`. Leaves: its CPU seconds and memory.
"""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path

import psutil


class Part:
    """A running process."""

    def __init__(self, process: subprocess.Popen[bytes]) -> None:
        self._process = process
        self._seen = psutil.Process(process.pid)

    @property
    def cpu_s(self) -> float:
        """CPU seconds so far."""
        times = self._seen.cpu_times()
        return float(times.user + times.system)

    @property
    def rss_mb(self) -> float:
        """Resident memory."""
        return float(self._seen.memory_info().rss / 1e6)

    @property
    def ended(self) -> bool:
        """Whether it has ended by itself."""
        return self._process.poll() is not None


@contextmanager
def part(environment: Mapping[str, str], log: Path, *words: str) -> Iterator[Part]:
    """The part, ended with the block as an operator would."""
    with log.open("ab") as out:
        process = subprocess.Popen([sys.executable, "-m", "ecluse", *words], env=environment, stdout=out, stderr=out)
    try:
        yield Part(process)
    finally:
        process.terminate()
        try:
            process.wait(60)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()

"""Runs the command to its end, as a shell does."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Mapping
from typing import NamedTuple


class Ran(NamedTuple):
    """Exit status and what was printed."""

    code: int
    out: str
    err: str


def run(environment: Mapping[str, str], *words: str, timeout_s: float = 60) -> Ran:
    """What came of a command. environment: beside that of the tests, without its settings"""
    kept = {name: value for name, value in os.environ.items() if not name.startswith("ECLUSE_")}
    command = [sys.executable, "-m", "ecluse", *words]
    told = {**kept, "COLUMNS": "200", **environment}
    done = subprocess.run(command, env=told, capture_output=True, text=True, timeout=timeout_s, check=False)
    return Ran(done.returncode, done.stdout, done.stderr)

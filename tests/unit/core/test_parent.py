"""A child and its parent."""

from __future__ import annotations

import os
import subprocess
import sys

import pytest

CHILD = """
import os, sys
from ecluse.core.parent import end_with
if sys.argv[2]:
    os.getppid = lambda: int(sys.argv[2])
end_with(int(sys.argv[1]))
print("goes on")
"""


@pytest.mark.parametrize(
    ("parent", "found", "goes_on"),
    [(os.getpid(), "", True), (1, "1", True), (os.getpid(), "1", False), (1, "", False)],
    ids=["its parent", "in a container", "its parent ended and process 1 took it", "another's"],
)
def test_a_child_goes_on_with_its_parent_alone(parent: int, found: str, goes_on: bool) -> None:
    command = [sys.executable, "-c", CHILD, str(parent), found]
    done = subprocess.run(command, capture_output=True, text=True, check=False, timeout=60)
    assert (done.returncode, done.stdout) == ((0, "goes on\n") if goes_on else (1, "")), done.stderr

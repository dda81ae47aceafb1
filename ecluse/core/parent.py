"""A child that ends when its parent does, however the parent ends; on Linux, where a process can ask for that."""

from __future__ import annotations

import ctypes
import os
import signal
import sys

PR_SET_PDEATHSIG = 1
_prctl = ctypes.CDLL(None).prctl if sys.platform == "linux" else None


def end_with(parent: int, number: int = signal.SIGTERM) -> None:
    """This process gets a signal when its parent dies; called in the child, after it has changed its user: a change of
    user forgets the request.

    parent: its pid, as the parent knows it: a child that is another's by now was left alone before it could ask. In a
    container the parent may well be process 1"""
    if _prctl:
        _prctl(PR_SET_PDEATHSIG, number)
        if os.getppid() != parent:
            os._exit(1)

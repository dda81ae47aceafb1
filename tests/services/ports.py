"""Ports for servers of tests, which nothing else on the machine takes between the choice and the start.

They lie below those that the system gives to outgoing connections, and each test process has a stretch of its own.
"""

from __future__ import annotations

import itertools
import os
import socket

FIRST, STRETCHES, LENGTH = 10_000, 220, 100
_numbers = itertools.count()


def free_port() -> int:
    """A port of 127.0.0.1 that nobody listens on and that this process has not given out lately."""
    start = FIRST + os.getpid() % STRETCHES * LENGTH
    for number in itertools.islice(_numbers, LENGTH):
        port = start + number % LENGTH
        with socket.socket() as probe:
            probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            try:
                probe.bind(("127.0.0.1", port))
            except OSError:
                continue
            return port
    raise AssertionError(f"no port is free between {start} and {start + LENGTH}")

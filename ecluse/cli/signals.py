"""How a program of ours is told to stop: SIGTERM, or SIGINT from a terminal."""

from __future__ import annotations

import asyncio
import signal

STOPS = (signal.SIGTERM, signal.SIGINT)


def stopping() -> asyncio.Event:
    """Set when one of them arrives."""
    stop = asyncio.Event()
    for number in STOPS:
        asyncio.get_running_loop().add_signal_handler(number, stop.set)
    return stop

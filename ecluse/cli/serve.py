"""FHIR and portal on one port.

Enters: settings. Leaves: the processes that serve application.py until SIGTERM. One worker is this process itself;
several are processes of their own (workers.py), and this one holds the embedded database.
"""

from __future__ import annotations

import asyncio
import socket
import time
from collections.abc import Generator
from contextlib import AbstractAsyncContextManager, contextmanager, nullcontext

import uvicorn
import uvloop

from ecluse.cli.signals import STOPS, stopping
from ecluse.cli.workers import Workers
from ecluse.core import clock, tracing
from ecluse.core.collector import calm_collector
from ecluse.core.db.embedded import running
from ecluse.core.errors import Unavailable
from ecluse.core.log import configure
from ecluse.core.settings import Settings

BACKLOG = 2048
AGAIN_S = 0.1


def run(settings: Settings) -> None:
    """Serves until SIGTERM or SIGINT."""
    listening = listen(settings)
    uvloop.run(_alone(settings, listening) if settings.workers == 1 else _parent(settings, listening))


def listen(settings: Settings, patience_s: float = 0.0) -> socket.socket:
    """The port, bound.

    patience_s: how long to wait for one that a server which was just killed still holds
    Raises: Unavailable (503) when it cannot be had"""
    deadline = clock.monotonic() + patience_s
    while True:
        try:
            return socket.create_server((settings.host, settings.port), backlog=BACKLOG, reuse_port=False)
        except OSError as error:
            if clock.monotonic() >= deadline:
                text = f"{settings.host}:{settings.port} cannot be listened on: {error.strerror}. Name another address "
                raise Unavailable(f"{text}by --port and --host, or ECLUSE_PORT and ECLUSE_HOST.") from error
            time.sleep(AGAIN_S)


async def _alone(settings: Settings, listening: socket.socket) -> None:
    async with _database(settings):
        await _serve(settings, listening)


async def _parent(settings: Settings, listening: socket.socket) -> None:
    """Holds the database and keeps so many workers running."""
    stop = stopping()
    async with _database(settings):
        await Workers(listening, settings.workers, _config, settings).run(stop)


def _database(settings: Settings) -> AbstractAsyncContextManager[object]:
    """The embedded database, when the settings name no other."""
    return nullcontext() if settings.database_url else running(settings.data)


async def _serve(settings: Settings, listening: socket.socket) -> None:
    await _Server(_config(settings)).serve(sockets=[listening])


class _Server(uvicorn.Server):
    """A server in the process that holds the database: uvicorn would end the process with the signal that ended the
    server, before the database is stopped."""

    @contextmanager
    def capture_signals(self) -> Generator[None, None, None]:
        """Ends the server, and nothing else, when SIGTERM or SIGINT arrives."""
        loop = asyncio.get_running_loop()
        for number in STOPS:
            loop.add_signal_handler(number, self.handle_exit, number, None)
        yield


def _config(settings: Settings) -> uvicorn.Config:
    """Imported by the processes that serve, not by the one that only holds them: half of its memory."""
    calm_collector()
    from ecluse.cli.application import config

    configure(settings.log_level)
    tracing.begin(settings, "serve")
    return config(settings)

"""A worker that is told to stop."""

from __future__ import annotations

import asyncio
import socket
from typing import Any

import uvicorn

from ecluse.cli.workers import HANDED, READY, _Worker

PATIENCE_S = 30


async def _application(scope: Any, receive: Any, send: Any) -> None:
    """Answers nothing."""


async def test_a_connection_that_comes_with_the_stop_keeps_no_worker_alive() -> None:
    parent, channel = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
    with parent, channel, socket.create_server(("127.0.0.1", 0)) as listening:
        with socket.create_connection(listening.getsockname()), listening.accept()[0] as accepted:
            worker = _Worker(uvicorn.Config(_application, lifespan="off", log_level="critical"), channel)
            worker.should_exit = True  # what a signal does while it starts
            socket.send_fds(parent, [HANDED], [accepted.fileno()])
            await asyncio.wait_for(worker.serve(), PATIENCE_S)
            assert parent.recv(1) == READY


async def test_a_worker_whose_parent_has_gone_while_it_started_ends() -> None:
    parent, channel = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
    parent.close()
    with channel:
        worker = _Worker(uvicorn.Config(_application, lifespan="off", log_level="critical"), channel)
        await asyncio.wait_for(worker.serve(), PATIENCE_S)

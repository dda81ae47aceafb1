"""Several server processes on one port, each with its share of the connections.

Enters: a listening socket and a way to serve. Leaves: worker processes, replaced when they die, ended together. The
parent accepts every connection and hands it to the next worker that is ready. Workers that accept for themselves do
not share: the one that wakes first takes all connections of a sender, and its neighbour idles.

The parent serves nothing, so that a worker's death takes nobody along; while none is ready, connections wait.
"""

from __future__ import annotations

import asyncio
import contextlib
import multiprocessing
import os
import socket
from collections import deque
from typing import Any

import uvicorn
import uvloop

from ecluse.core.log import Log
from ecluse.core.parent import end_with

log = Log("serve")
STOP_S = 8.0
"""How long a worker may take to end, less than whoever started the parent waits for that."""
PAUSE_S = 0.5
READY = HANDED = b"."
"""One byte each way: a worker says that it serves, the parent that a connection comes along."""


class Workers:
    """The worker processes of one parent.

    make: builds the worker's server from `given`; both travel to a new process, so make is a function of a module
    """

    def __init__(self, listening: socket.socket, count: int, make: Any, given: Any) -> None:
        self._listening = listening
        self._count = count
        self._work = (make, given)
        self._ready: deque[socket.socket] = deque()
        self._some_ready = asyncio.Event()

    async def run(self, stop: asyncio.Event) -> None:
        """Serves until `stop` is set and every worker has ended."""
        self._listening.setblocking(False)
        tasks = [asyncio.create_task(self._accept())]
        tasks += [asyncio.create_task(self._keep()) for _ in range(self._count)]
        stopping = asyncio.create_task(stop.wait())
        await asyncio.wait({stopping, *tasks}, return_when=asyncio.FIRST_COMPLETED)
        for task in (stopping, *tasks):
            task.cancel()
        outcomes = await asyncio.gather(*tasks, return_exceptions=True)
        for outcome in outcomes:
            if isinstance(outcome, Exception):
                raise outcome

    async def _accept(self) -> None:
        loop = asyncio.get_running_loop()
        while True:
            await self._some_ready.wait()
            connection, _ = await loop.sock_accept(self._listening)
            with connection:
                self._hand(connection)

    def _hand(self, connection: socket.socket) -> None:
        """Gives the connection to the next worker; it is closed when no worker can take it."""
        for _ in range(len(self._ready)):
            channel = self._ready[0]
            self._ready.rotate(-1)
            with contextlib.suppress(OSError):
                socket.send_fds(channel, [HANDED], [connection.fileno()])
                return
        log.warning("connection closed: no worker takes it")

    async def _keep(self) -> None:
        """Keeps one worker running."""
        while True:
            ours, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
            with ours:
                ours.setblocking(False)
                worker = _started(*self._work, theirs)
                try:
                    await self._follow(ours)
                finally:
                    worker.terminate()
                    await asyncio.to_thread(_ended, worker)
            log.warning("worker died, another starts", status=worker.exitcode)
            await asyncio.sleep(PAUSE_S)

    async def _follow(self, channel: socket.socket) -> None:
        """Counts the worker as ready from its first word to its end."""
        loop = asyncio.get_running_loop()
        if not await _word(loop, channel):
            return
        self._ready.append(channel)
        self._some_ready.set()
        try:
            while await _word(loop, channel):
                pass
        finally:
            self._ready.remove(channel)
            if not self._ready:
                self._some_ready.clear()


async def _word(loop: asyncio.AbstractEventLoop, channel: socket.socket) -> bytes:
    """What the worker says; nothing when it has ended."""
    try:
        return await loop.sock_recv(channel, 1)
    except ConnectionError:
        return b""


def _started(make: Any, given: Any, theirs: socket.socket) -> Any:
    with theirs:
        worker = multiprocessing.get_context("spawn").Process(
            target=_work, args=(make, given, theirs, os.getpid()), daemon=True
        )
        worker.start()
    return worker


def _ended(worker: Any) -> None:
    """Returns when the worker has ended; one that does not in time is killed."""
    worker.join(STOP_S)
    if worker.is_alive():
        log.warning("worker does not end: it is killed", pid=worker.pid)
        worker.kill()
        worker.join()


def _work(make: Any, given: Any, channel: socket.socket, parent: int) -> None:
    end_with(parent)
    uvloop.run(_Worker(make(given), channel).serve())


class _Worker(uvicorn.Server):
    """A server whose connections come from the parent; it ends when the parent does."""

    def __init__(self, config: uvicorn.Config, channel: socket.socket) -> None:
        super().__init__(config)
        self._channel = channel
        self._taking: set[asyncio.Task[Any]] = set()

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        """Opens the application, then tells the parent."""
        await super().startup(sockets=[])
        self._channel.setblocking(False)
        asyncio.get_running_loop().add_reader(self._channel, self._take)
        try:
            self._channel.send(READY)
        except OSError:  # the parent has gone meanwhile
            self.should_exit = True

    async def shutdown(self, sockets: list[socket.socket] | None = None) -> None:
        """Takes no more connections first: one that came after the others were told to close would never be told, and
        as long as its client keeps it, the worker would serve it."""
        asyncio.get_running_loop().remove_reader(self._channel)
        await asyncio.gather(*self._taking)
        await super().shutdown(sockets)

    def _take(self) -> None:
        loop = asyncio.get_running_loop()
        try:
            word, handed, _, _ = socket.recv_fds(self._channel, 1, 1)
        except BlockingIOError:
            return
        if not word:
            loop.remove_reader(self._channel)
            self.should_exit = True
        for descriptor in handed:
            connection = socket.socket(fileno=descriptor)
            connection.setblocking(False)
            connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            task = loop.create_task(self._connect(connection))
            self._taking.add(task)
            task.add_done_callback(self._taking.discard)

    async def _connect(self, connection: socket.socket) -> None:
        """Gives the connection to HTTP; a client that has left meanwhile is nobody's error."""
        with contextlib.suppress(OSError):
            await asyncio.get_running_loop().connect_accepted_socket(self._protocol, connection)

    def _protocol(self) -> asyncio.Protocol:
        made: asyncio.Protocol = self.config.http_protocol_class(  # type: ignore[call-arg]
            config=self.config, server_state=self.server_state, app_state=self.lifespan.state
        )
        return made

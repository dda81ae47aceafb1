"""The embedded PostgreSQL: one server a data folder, shared by every process that works on it.

Enters: the data folder. Leaves: the address of a running server. Who holds the lock DATA/postgres/owner.lock owns the
server: it is the owner's child, is started again when it dies and ends with the owner. The others attach; when the
owner goes, the next of them that watches takes over.
"""

from __future__ import annotations

import asyncio
import contextlib
import fcntl
import os
import subprocess
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from pathlib import Path

import asyncpg

from ecluse.core import clock
from ecluse.core.db import postmaster
from ecluse.core.db.cluster import DATABASE, Cluster
from ecluse.core.db.pool import translated
from ecluse.core.errors import Unavailable
from ecluse.core.log import Log

log = Log("postgres")
WATCH_S = 0.2
REPAIR_S = 5.0
STARTERS_FIRST_S = 1.0
ANSWER_S = 5.0


class Embedded:
    """This process's share in the embedded server: its owner, or attached to another owner's."""

    def __init__(self, data: Path, overrides: Mapping[str, str] | None = None) -> None:
        """data: the data folder, made when missing; overrides: server settings that win over postgresql.conf."""
        self._cluster = Cluster(data)
        self._overrides = overrides or {}
        self._lock: int | None = None
        self._process: subprocess.Popen[bytes] | None = None

    @property
    def owns(self) -> bool:
        """Whether this process is the owner."""
        return self._lock is not None

    async def start(self) -> str:
        """The address of the running server, for asyncpg and psql; started here unless another process owns it.

        Raises: EmbeddedError (503) when it cannot run
        """
        self._cluster.make_home()
        while not self._take_lock():
            if await _answers(self._cluster.url):
                return self._cluster.url
            await asyncio.sleep(WATCH_S)
        try:
            await self._own()
        except BaseException:
            await self.stop()
            raise
        return self._cluster.url

    async def stop(self) -> None:
        """Ends the server when this process owns it: clean, after sending its clients away."""
        if self._process is not None:
            await postmaster.end(self._process)
            log.info("postgres stopped", pid=self._process.pid)
            self._process = None
            self._cluster.remove_socket_folder()
        if self._lock is not None:
            os.close(self._lock)
            self._lock = None

    async def watch(self) -> None:
        """Starts the server again when it dies, and takes it over when its owner dies; runs until cancelled."""
        while True:
            await asyncio.sleep(WATCH_S)
            try:
                await self._repair()
            except Exception as error:  # whatever it is: nobody else would start the server again
                log.error("postgres does not start", error=type(error).__name__, reason=str(error), delay_s=REPAIR_S)
                await asyncio.sleep(REPAIR_S)

    async def _repair(self) -> None:
        if self._process is not None and self._process.poll() is None:
            return
        if self._process is not None:
            log.warning("postgres died, starts again", pid=self._process.pid, status=self._process.returncode)
            await self._own()
        elif self.owns or await self._left_alone():
            log.warning("postgres lost its owner, is taken over")
            await self._own()

    async def _left_alone(self) -> bool:
        """Whether the owner has gone and this process is the owner now; a process that is just starting goes first."""
        if _owned(self._cluster):
            return False
        await asyncio.sleep(STARTERS_FIRST_S)
        return self._take_lock()

    def _take_lock(self) -> bool:
        self._lock = _locked(self._cluster)
        return self.owns

    async def _own(self) -> None:
        """Makes the cluster and starts it. A server that outlived its owner is ended first: nobody could watch it."""
        begun = clock.monotonic()
        found = postmaster.running(self._cluster.folder)
        if found is not None:
            log.warning("postgres without owner, is ended", pid=found.pid)
            await postmaster.end(found)
        await postmaster.clear(self._cluster.folder)
        socket = self._cluster.prepare()
        self._process = postmaster.spawn(self._cluster, socket, self._overrides)
        await postmaster.ready(self._cluster, self._process)
        await _make_database(self._cluster)
        log.info("postgres runs", pid=self._process.pid, duration_ms=int((clock.monotonic() - begun) * 1000))


async def attach(data: Path) -> str:
    """The address of the server that another process owns; waits while that one starts or repairs it.

    Raises: Unavailable (503) when no process owns it
    """
    cluster = Cluster(data)
    while not await _answers(cluster.url):
        if not _owned(cluster):
            raise Unavailable(f"No PostgreSQL runs on {cluster.data}; start `ecluse up`, or set ECLUSE_DATABASE_URL.")
        await asyncio.sleep(WATCH_S)
    return cluster.url


@asynccontextmanager
async def running(data: Path) -> AsyncIterator[str]:
    """The address of the server, which is watched until the end of the block.

    Raises: EmbeddedError (503) when it cannot run
    """
    embedded = Embedded(data)
    url = await embedded.start()
    watch = asyncio.create_task(embedded.watch())
    try:
        yield url
    finally:
        watch.cancel()
        await asyncio.wait({watch})
        await embedded.stop()


def _locked(cluster: Cluster) -> int | None:
    """The owner's lock, None when another process holds it. It is free when its holder ends, however it ends."""
    lock = cluster.open("owner.lock")
    try:
        fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        os.close(lock)
        return None
    return lock


def _owned(cluster: Cluster) -> bool:
    lock = _locked(cluster) if cluster.home.exists() else None
    if lock is not None:
        os.close(lock)
    return lock is None and cluster.home.exists()


async def _answers(url: str) -> bool:
    if not url:
        return False
    with contextlib.suppress(asyncpg.PostgresError, Unavailable), translated():
        await (await asyncpg.connect(url, timeout=ANSWER_S)).close()
        return True
    return False


async def _make_database(cluster: Cluster) -> None:
    with translated():
        conn = await asyncpg.connect(cluster.url_of("postgres"))
        try:
            if not await conn.fetchval("SELECT 1 FROM pg_database WHERE datname = $1", DATABASE):
                await conn.execute(f"CREATE DATABASE {DATABASE} TEMPLATE template0")
        finally:
            await conn.close()

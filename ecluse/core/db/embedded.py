"""The embedded PostgreSQL: one server a data folder, shared by every process that works on it.

Enters: the data folder. Leaves: the address of a running server. Who holds the lock DATA/postgres/owner.lock owns the server: it is the owner's child, is started
again when it dies and ends with the owner. The others attach; when the owner goes, the next of them that watches takes the server over.
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
from ecluse.core.db.cluster import DATABASE, Cluster, EmbeddedError
from ecluse.core.errors import Unavailable
from ecluse.core.log import Log

log = Log("postgres")
WATCH_S = 0.2
LONGEST_DELAY_S = 10.0


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
        """Whether the server is this process's child."""
        return self._lock is not None

    async def start(self) -> str:
        """The address of the running server, for asyncpg and psql; started here unless another process owns it.

        Raises: EmbeddedError (503) when it cannot run
        """
        self._cluster.make_home()
        while not self._take_over():
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
        if self._lock is not None:
            os.close(self._lock)
            self._lock = None

    async def watch(self) -> None:
        """Starts the server again when it dies, and takes it over when its owner dies; runs until cancelled."""
        delay = WATCH_S
        while True:
            await asyncio.sleep(delay)
            delay = WATCH_S
            try:
                if self._process is not None and self._process.poll() is not None:
                    log.warning("postgres died, starts again", pid=self._process.pid, status=self._process.returncode)
                    await self._launch()
                elif self._process is None and (self.owns or self._take_over()):
                    log.warning("postgres has lost its owner, is taken over")
                    await self._own()
            except (EmbeddedError, OSError) as error:
                delay = LONGEST_DELAY_S
                log.error("postgres does not start", error=type(error).__name__, reason=str(error), delay_s=delay)

    def _take_over(self) -> bool:
        """Whether this process is the owner now."""
        self._lock = _locked(self._cluster)
        return self.owns

    async def _own(self) -> None:
        """Makes the cluster and starts it. A server that outlived its owner is ended first: it is nobody's child, so nobody could watch it."""
        found = postmaster.running(self._cluster.folder)
        if found is not None:
            log.warning("postgres without owner, is ended", pid=found.pid)
            await postmaster.end(found)
        self._socket = await asyncio.to_thread(self._cluster.prepare)
        await self._launch()
        await _make_database(self._cluster)

    async def _launch(self) -> None:
        begun = clock.monotonic()
        await postmaster.clear(self._cluster.folder)
        self._process = postmaster.spawn(self._cluster, self._socket, self._overrides)
        await postmaster.ready(self._cluster, self._process)
        log.info("postgres runs", pid=self._process.pid, duration_ms=int((clock.monotonic() - begun) * 1000))


async def attach(data: Path) -> str:
    """The address of the server that another process owns; waits while that one starts or repairs it.

    Raises: Unavailable (503) when no process owns it
    """
    cluster = Cluster(data)
    while not await _answers(cluster.url):
        lock = _locked(cluster) if cluster.home.exists() else None
        if lock is not None or not cluster.home.exists():
            if lock is not None:
                os.close(lock)
            raise Unavailable(f"No PostgreSQL runs on {cluster.data}; start `ecluse up`, or set ECLUSE_DATABASE_URL.")
        await asyncio.sleep(WATCH_S)
    return cluster.url


@asynccontextmanager
async def running(data: Path) -> AsyncIterator[str]:
    """The address of the server, watched until the end of the block.

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
    """The owner's lock, None when another process holds it. It goes with the process, however it ends."""
    lock = os.open(cluster.lock, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
    try:
        fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        os.close(lock)
        return None
    return lock


async def _answers(url: str) -> bool:
    if not url:
        return False
    with contextlib.suppress(OSError, TimeoutError, asyncpg.PostgresError):
        await (await asyncpg.connect(url, timeout=2)).close()
        return True
    return False


async def _make_database(cluster: Cluster) -> None:
    conn = await asyncpg.connect(cluster.url_of("postgres"))
    try:
        if not await conn.fetchval("SELECT 1 FROM pg_database WHERE datname = $1", DATABASE):
            await conn.execute(f"CREATE DATABASE {DATABASE} TEMPLATE template0")
    finally:
        await conn.close()

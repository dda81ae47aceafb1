"""The process of the embedded PostgreSQL: started, recognised, waited for and ended.

Enters: the cluster's files. Leaves: a postmaster that is a child of this process; on Linux it ends, clean, when this
process dies, however it dies. A pid file is only a hint: a process is this cluster's postmaster when it works in the
cluster's folder and was there when the file was written.
"""

from __future__ import annotations

import asyncio
import contextlib
import os
import signal
import subprocess
from collections.abc import Mapping
from functools import partial
from pathlib import Path
from typing import NamedTuple

import psutil

from ecluse.core import clock
from ecluse.core.db.account import EmbeddedError
from ecluse.core.db.cluster import Cluster
from ecluse.core.log import Log
from ecluse.core.parent import end_with

log = Log("postgres")
POLL_S = 0.02
REPORT_S = 10.0
REMAINS_S = 5.0
START_SLACK_S = 10.0


class PidFile(NamedTuple):
    """What postmaster.pid says; started: Unix seconds; status: starting, ready or stopping."""

    pid: int
    started: int
    status: str


def pid_file(folder: Path) -> PidFile | None:
    """The pid file of a cluster, None when it is missing or not yet whole."""
    try:
        lines = (folder / "postmaster.pid").read_text().splitlines()
        return PidFile(int(lines[0]), int(lines[2]), lines[7].strip() if len(lines) > 7 else "starting")
    except (FileNotFoundError, IndexError, ValueError):
        return None


def running(folder: Path) -> psutil.Process | None:
    """The postmaster of this cluster, None when the pid file is stale or its number is another process's by now."""
    found = pid_file(folder)
    if found is None:
        return None
    with contextlib.suppress(psutil.Error):
        process = psutil.Process(found.pid)
        if process.create_time() <= found.started + START_SLACK_S and _works_in(process, folder):
            return process
    return None


def _works_in(process: psutil.Process, folder: Path) -> bool:
    with contextlib.suppress(psutil.Error):
        named = process.name().startswith("postgres")
        return named and process.status() != psutil.STATUS_ZOMBIE and process.cwd() == str(folder.resolve())
    return False


def spawn(cluster: Cluster, socket: Path, overrides: Mapping[str, str]) -> subprocess.Popen[bytes]:
    """A postmaster that has just been started. It ends with the thread that calls this: call it from the main one.

    socket: folder of the socket; overrides: server settings that win over postgresql.conf
    """
    fixed = {"listen_addresses": "", "unix_socket_directories": str(socket), "unix_socket_permissions": "0700"}
    options = [word for name, value in {**fixed, **overrides}.items() for word in ("-c", f"{name}={value}")]
    with cluster.open_log() as out:
        return subprocess.Popen(  # noqa: S603 - our own words
            [*cluster.command("postgres", cluster.folder), *options],
            stdout=out,
            stderr=out,
            start_new_session=True,
            preexec_fn=partial(end_with, os.getpid(), signal.SIGINT),
            **cluster.start_arguments(cluster.folder),
        )


async def ready(cluster: Cluster, process: subprocess.Popen[bytes]) -> None:
    """Returns when it takes connections; recovery after a crash takes as long as it takes.

    Raises: EmbeddedError when it ends instead, with its last words
    """
    begun = reported = clock.monotonic()
    while (found := pid_file(cluster.folder)) is None or found.pid != process.pid or found.status != "ready":
        if process.poll() is not None:
            raise EmbeddedError(f"PostgreSQL did not start: {_last_words(cluster.log)} See {cluster.log}")
        if clock.monotonic() - reported > REPORT_S:
            reported = clock.monotonic()
            log.info("postgres recovers", pid=process.pid, duration_ms=int((reported - begun) * 1000))
        await asyncio.sleep(POLL_S)


def _last_words(path: Path) -> str:
    lines = path.read_bytes()[-4096:].decode(errors="replace").splitlines()
    fatal = [line.partition("FATAL:")[2].strip() for line in lines if "FATAL:" in line]
    return f"{fatal[-1]}." if fatal else "it gave no reason."


async def end(process: psutil.Process | subprocess.Popen[bytes]) -> None:
    """Ends a postmaster clean: clients are sent away, a checkpoint is written, however long that takes."""
    with contextlib.suppress(ProcessLookupError, psutil.NoSuchProcess):
        process.send_signal(signal.SIGINT)
    reported = clock.monotonic()
    while _alive(process):
        if clock.monotonic() - reported > REPORT_S:
            reported = clock.monotonic()
            log.info("postgres writes its last checkpoint", pid=process.pid)
        await asyncio.sleep(POLL_S)


def _alive(process: psutil.Process | subprocess.Popen[bytes]) -> bool:
    if isinstance(process, subprocess.Popen):
        return process.poll() is None
    with contextlib.suppress(psutil.NoSuchProcess):
        return process.status() != psutil.STATUS_ZOMBIE
    return False


async def clear(folder: Path) -> None:
    """Ends what a dead postmaster left: its children hold its memory. Removes a pid file whose number was given away.

    The caller holds the owner's lock and has seen that no postmaster runs.
    """
    remains = [process for process in psutil.process_iter() if _works_in(process, folder)]
    begun = clock.monotonic()
    while remains:
        number = signal.SIGQUIT if clock.monotonic() - begun < REMAINS_S else signal.SIGKILL
        for process in remains:
            with contextlib.suppress(psutil.NoSuchProcess):
                process.send_signal(number)
        await asyncio.sleep(POLL_S)
        remains = [process for process in remains if _works_in(process, folder)]
    found = pid_file(folder)
    if found and psutil.pid_exists(found.pid):
        (folder / "postmaster.pid").unlink()

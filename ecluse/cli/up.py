"""`ecluse up`: server, relay, consumers and portal in one process group.

Enters: settings. Leaves: one child process a part, restarted when it dies, ended together. The parent holds the
embedded database and nothing else, so that no part can take the others with it. A child ends by itself when the parent
is killed."""

from __future__ import annotations

import asyncio
import os
import sys
from collections.abc import Sequence
from contextlib import AsyncExitStack
from dataclasses import dataclass
from functools import partial

from consumers import registry
from ecluse.bus.backoff import pause
from ecluse.cli.serve import listen
from ecluse.cli.signals import stopping
from ecluse.core import clock
from ecluse.core.db.databases import open_databases
from ecluse.core.db.embedded import running
from ecluse.core.log import Log
from ecluse.core.parent import end_with
from ecluse.core.settings import Settings

log = Log("up")
STOP_S = 10.0
PORT_FREE_WITHIN_S = 5.0
"""The server of an `ecluse up` that was just killed may hold the port a little longer."""
LONGEST_DELAY_S = 30.0
CALM_S = 60.0


@dataclass(frozen=True, slots=True)
class Part:
    """One child: its name in the logs and the words behind `ecluse`."""

    name: str
    words: tuple[str, ...]


async def run(settings: Settings) -> None:
    """Returns when SIGTERM or SIGINT came and every part has ended.

    Raises: Unavailable (503) when another program has the port, ProjectError when a consumer cannot be built"""
    registry.check(settings)
    listen(settings, PORT_FREE_WITHIN_S).close()
    stop = stopping()
    async with AsyncExitStack() as stack:
        if not settings.database_url:
            await stack.enter_async_context(running(settings.data))
        async with open_databases(settings, migrate=True) as databases:
            names = list(registry.sinks(settings, databases))
        async with asyncio.TaskGroup() as group:
            for part in parts(settings, names):
                group.create_task(_keep(part, settings.variables(), stop))


def parts(settings: Settings, consumers: Sequence[str]) -> list[Part]:
    """What runs: the server, the relay when there is a broker, each consumer."""
    relay = [Part("relay", ("relay",))] if settings.bus == "kafka" else []
    return [Part("serve", ("serve",)), *relay, *(Part(name, ("consume", name)) for name in consumers)]


async def _keep(part: Part, environment: dict[str, str], stop: asyncio.Event) -> None:
    """Keeps one part running until the stop: starts it, and after its death starts it again, later each time."""
    delay = 0.5
    while not stop.is_set():
        started = clock.monotonic()
        child = await _start(part, environment)
        ended = asyncio.create_task(child.wait())
        stopping = asyncio.create_task(stop.wait())
        await asyncio.wait({ended, stopping}, return_when=asyncio.FIRST_COMPLETED)
        stopping.cancel()
        if stop.is_set():
            await _end(child, ended)
            return
        delay = 0.5 if clock.monotonic() - started > CALM_S else min(delay * 2, LONGEST_DELAY_S)
        log.warning("part died, starts again", worker=part.name, status=child.returncode, delay_s=delay)
        await pause(stop, delay)


async def _start(part: Part, environment: dict[str, str]) -> asyncio.subprocess.Process:
    return await asyncio.create_subprocess_exec(
        sys.executable,
        "-m",
        "ecluse",
        *part.words,
        env=environment,
        preexec_fn=partial(end_with, os.getpid()),
        start_new_session=True,
    )


async def _end(child: asyncio.subprocess.Process, ended: asyncio.Task[int]) -> None:
    if child.returncode is None:
        child.terminate()
    try:
        await asyncio.wait_for(ended, STOP_S)
    except TimeoutError:
        child.kill()
        await child.wait()

"""FHIR and all that is served beside it, as one ASGI application.

Enters: settings. Leaves: the application; its databases are open while it runs.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Coroutine, Iterable
from contextlib import asynccontextmanager
from functools import partial
from typing import Any

import uvicorn
from starlette.applications import Starlette
from starlette.exceptions import HTTPException
from starlette.types import ASGIApp, Receive, Scope, Send

from consumers import abandoned
from ecluse.bus import epoch, partitions
from ecluse.bus.feed import Feed
from ecluse.bus.partitions import Limits
from ecluse.bus.wakeup import Notifier
from ecluse.cli import waiting
from ecluse.cli.endpoints import EVENTS, routes
from ecluse.core.collector import settle_collector
from ecluse.core.db import statistics
from ecluse.core.db.databases import Databases, open_databases
from ecluse.core.log import Log
from ecluse.core.settings import Settings
from fhir_server.app import FhirApp
from fhir_server.bulk import runner
from fhir_server.http.address import ROOTS
from fhir_server.http.origins import allowing_origins
from fhir_server.http.protocol import STOPPING, Protocol
from fhir_server.http.timed import Timed
from fhir_server.http.traced import traced
from fhir_server.search_parameters import building
from fhir_server.server import Server
from fhir_server.store import merges, reindex, retention
from portal import answers as portal

log = Log("serve")
KEEP_ALIVE_S = 75
"""How long a connection may be idle: longer than senders and load balancers keep theirs (60 s), since whoever writes on
a connection that is just being closed cannot know whether the write was taken."""


def config(settings: Settings) -> uvicorn.Config:
    """How a process serves it."""
    return uvicorn.Config(
        application(settings),
        http=Protocol,
        access_log=False,
        log_level="warning",
        server_header=False,
        timeout_keep_alive=KEEP_ALIVE_S,
    )


def application(settings: Settings) -> ASGIApp:
    """The application; its databases are open while it runs. All below the FHIR bases is FHIR's to answer."""
    fhir, limits = FhirApp(), partitions.limits_of(settings)
    timed = Timed(fhir)

    @asynccontextmanager
    async def lifespan(_: Starlette) -> AsyncIterator[dict[str, Any]]:
        async with open_databases(settings, migrate=True) as databases, _notifier(databases, limits) as notifier:
            async with databases.store.acquire() as conn:
                await epoch.settle(conn)
            fhir.server = Server(settings, databases, notifier.touch, partial(waiting.awaited, settings, databases))
            async with _going_on(_upkeep(fhir, timed)):
                settle_collector()
                log.info("serves", address=settings.url)
                yield {STOPPING: asyncio.Event(), "feed": Feed(databases.store)}
            await fhir.refusals.flush(fhir.server)
            await timed.flush(databases.store)

    others = Starlette(
        lifespan=lifespan, routes=routes(settings, fhir), exception_handlers={HTTPException: portal.refused}
    )
    below_fhir = allowing_origins(traced(timed), settings.cors_origins)
    beside_fhir = waiting.waiting(others, fhir)
    events = allowing_origins(beside_fhir, settings.cors_origins)

    async def routed(scope: Scope, receive: Receive, send: Send) -> None:
        path = scope["path"] if scope["type"] == "http" else ""
        if f"{path}/".startswith(ROOTS):
            await below_fhir(scope, receive, send)
        elif path == EVENTS:
            await events(scope, receive, send)
        else:
            await beside_fhir(scope, receive, send)

    return routed


def _upkeep(fhir: FhirApp, timed: Timed) -> list[Coroutine[Any, Any, None]]:
    """What goes on beside the requests until the server stops."""
    server = fhir.server
    databases = server.databases
    return [
        statistics.keep(databases.store),
        merges.keep(databases.store),
        reindex.keep(databases.store, server.registries),
        building.keep(databases.store),
        retention.keep(databases.store, server.settings),
        abandoned.keep(server.settings, databases),
        fhir.refusals.keep(server),
        timed.keep(databases.store),
        runner.keep(server),
    ]


@asynccontextmanager
async def _going_on(work: Iterable[Coroutine[Any, Any, None]]) -> AsyncIterator[None]:
    """The work goes on until the end of the block."""
    tasks = [asyncio.create_task(one) for one in work]
    yield
    for task in tasks:
        task.cancel()
    await asyncio.wait(tasks)


@asynccontextmanager
async def _notifier(databases: Databases, limits: Limits) -> AsyncIterator[Notifier]:
    """Wakes the readers of the outbox from a connection of its own, and keeps partitions ahead of its writers."""
    stop, notifier = asyncio.Event(), Notifier(databases.store)
    running = asyncio.gather(notifier.run(stop), partitions.keep(databases.store, stop, limits))
    try:
        yield notifier
    finally:
        stop.set()
        await running

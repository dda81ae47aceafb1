"""How long requests take, by interaction and status.

Enters: requests. Leaves: the same requests, and their durations: until the answer was sent; of those that made an event
it is how long that took until it was stored.
"""

from __future__ import annotations

from contextlib import suppress
from functools import partial

from starlette.types import ASGIApp, Message, Receive, Scope, Send

from ecluse.bus.durations import EVERY_S, REQUEST, STAGE, Durations
from ecluse.core import clock
from ecluse.core.db.pool import Pool, translated
from ecluse.core.db.upkeep import repeated
from ecluse.core.errors import Unavailable
from fhir_server.http.interaction import asked_for

EVENT = b"x-ecluse-event"
STORED = "stored"


class Timed:
    """An application whose requests are measured."""

    def __init__(self, application: ASGIApp) -> None:
        self._application = application
        self._requests, self._stages = Durations(REQUEST), Durations(STAGE)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """One request; what is not answered is not measured, since its client has left."""
        began = clock.monotonic()
        status, event = 0, False

        async def told(message: Message) -> None:
            nonlocal status, event
            if message["type"] == "http.response.start":
                status, event = message["status"], any(name == EVENT for name, _ in message["headers"])
            await send(message)

        await self._application(scope, receive, told)
        if status:
            seconds = clock.monotonic() - began
            self._requests.add(asked_for(scope)[0], str(status), seconds)
            if event:
                self._stages.add("", STORED, seconds)

    async def keep(self, pool: Pool) -> None:
        """Stores what was measured, until cancelled. pool: the store"""
        await repeated(partial(self.flush, pool), EVERY_S)

    async def flush(self, pool: Pool) -> None:
        """Stores what was measured, unless the database is away: then it waits."""
        with suppress(Unavailable), translated():
            await self._requests.store(pool, now=True)
            await self._stages.store(pool, now=True)

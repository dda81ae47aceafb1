"""`/events` as Server-Sent Events: what happens, as it happens, for browsers and other clients of HTTP.

Enters: where to begin, what to tell of. Leaves: one message an event, with its position as `id`; a comment when there
is nothing to tell, and before the server ends a stream, an event `end` that says why. Each stream holds one page of
events and no connection to the database while it sends; a reader who takes nothing is ended.
Spec: https://html.spec.whatwg.org/multipage/server-sent-events.html
"""

from __future__ import annotations

import asyncio
import re
from collections.abc import Mapping
from typing import Any

from starlette.responses import Response
from starlette.types import Receive, Scope, Send

from ecluse.bus import envelope
from ecluse.bus.backoff import transient
from ecluse.bus.feed import Feed
from ecluse.bus.position import Position
from ecluse.bus.replay import Replay
from ecluse.core import clock, tracing
from ecluse.core.db.pool import translated
from ecluse.core.errors import EcluseError
from ecluse.core.fhir import json
from ecluse.core.log import Log
from ecluse.core.settings import Settings
from fhir_server.http.protocol import CUT, STOPPING

MEDIA = "text/event-stream"
COUNT, MOST_BYTES = 200, 1 << 20
RETRY_MS = 1000
STOP_S = 2.0
"""How long the last event waits for a reader when the server stops."""
HEADERS = [
    (b"content-type", MEDIA.encode()),
    (b"cache-control", b"no-store"),
    (b"x-accel-buffering", b"no"),
    (b"vary", b"accept"),
]
_LINE_END = re.compile(rb"\r\n|\r|\n")
log = Log("events")


class EventStream(Response):
    """One reader's stream, until the reader leaves, the server stops, or the reader cannot go on."""

    def __init__(self, settings: Settings, feed: Feed, replay: Replay, since: Position) -> None:
        """since: a position whose followers are kept"""
        super().__init__()
        self._settings = settings
        self._feed = feed
        self._replay = replay
        self._at = since
        self._until = 0
        self._beat_at = 0.0

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Sends it."""
        await send({"type": "http.response.start", "status": 200, "headers": HEADERS})
        if scope["method"] == "HEAD":
            await send({"type": "http.response.body"})
            return
        left = asyncio.create_task(_left(receive))
        stopping = asyncio.create_task(scope["state"][STOPPING].wait())
        telling = asyncio.create_task(self._tell(send))
        try:
            await asyncio.wait({left, stopping, telling}, return_when=asyncio.FIRST_COMPLETED)
            telling.cancel()
            await asyncio.wait({telling})
            if not left.done():
                patience_s = STOP_S if stopping.done() else self._settings.events_slow_s
                await self._end(send, _reason(telling), patience_s, scope)
                await left
        finally:
            for task in (left, stopping, telling):
                task.cancel()

    async def _tell(self, send: Send) -> None:
        """Events and comments, for ever.

        Raises: what ends the stream"""
        async with self._feed.followed():
            await self._send(send, b"retry: %d\nid: %s\n\n" % (RETRY_MS, str(self._at).encode()))
            while True:
                await self._page(send)
                if clock.monotonic() >= self._beat_at:
                    # The position passes what this reader did not ask for: who comes back need not pass it again.
                    await self._send(send, b": nothing more yet\nid: %s\n\n" % str(self._at).encode())
                if self._at.seq >= self._until:
                    await self._more()

    async def _page(self, send: Send) -> None:
        """Sends the next events up to the end that is known."""
        async with self._feed.reading:
            with translated():
                page = await self._replay.after(self._at, self._until, COUNT, MOST_BYTES)
        with tracing.sending("events stream", (event.traceparent for event in page.events)):
            for event in page.events:
                at = Position(event.epoch, event.seq)
                await self._send(send, message(at, envelope.structured(event)))
                self._at = at
        self._at = page.next

    async def _more(self) -> None:
        """Returns when there may be more, or when the reader has to hear something."""
        try:
            async with asyncio.timeout(max(0.0, self._beat_at - clock.monotonic())):
                self._until = await self._feed.beyond(self._at.seq)
        except TimeoutError:
            return

    async def _send(self, send: Send, text: bytes) -> None:
        """Raises: Slow when the reader does not take what was sent before. What it was to get then is not sent."""
        try:
            async with asyncio.timeout(self._settings.events_slow_s):
                await send({"type": "http.response.body", "body": text, "more_body": True})
        except TimeoutError:
            raise Slow from None
        self._beat_at = clock.monotonic() + self._settings.events_heartbeat_s

    async def _end(self, send: Send, reason: Mapping[str, Any], patience_s: float, scope: Scope) -> None:
        """Says why, when the reader takes it, and ends."""
        log.info("stream ended", reason=reason["reason"])
        body = message(self._at, {**reason, "next": str(self._at)}, "end")
        try:
            async with asyncio.timeout(patience_s):
                await send({"type": "http.response.body", "body": body, "more_body": False})
        except TimeoutError:
            scope["extensions"][CUT]["abort"]()


class Slow(Exception):
    """The reader takes nothing of what is sent."""


def message(at: Position, told: Mapping[str, Any], name: str = "") -> bytes:
    """A message as it is sent. told: what becomes its data, JSON"""
    # Between the tokens of JSON one line end is as good as another.
    data = _LINE_END.sub(b"\ndata: ", json.encode(told))
    kind = b"event: %s\n" % name.encode() if name else b""
    return b"%sid: %s\ndata: %s\n\n" % (kind, str(at).encode(), data)


async def _left(receive: Receive) -> None:
    """Returns when the reader has left, or has got everything."""
    while (await receive())["type"] != "http.disconnect":
        pass


def _reason(telling: asyncio.Task[None]) -> dict[str, Any]:
    """Why a stream ends: what its task raised, or that the server stops.

    Raises: what nobody expected"""
    if telling.cancelled() or (error := telling.exception()) is None:
        return {"reason": "stopping", "status": 503, "error": "The server stops; come back."}
    if isinstance(error, Slow):
        return {"reason": "slow", "status": 503, "error": "What was sent was not taken in time; come back."}
    if isinstance(error, EcluseError):
        return {"reason": "unavailable" if transient(error) else "refused", "status": error.status, "error": str(error)}
    raise error

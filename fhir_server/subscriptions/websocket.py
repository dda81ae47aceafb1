"""The channel `websocket`: notifications to whoever listens, as long as the connection stands.

Enters: a connection whose first words are `bind-with-token:` and a token of $get-ws-binding-token. Leaves: a handshake
for each Subscription, then its notifications and heartbeats, one text message each. What happens while nobody listens
waits, and is sent when somebody does.
Spec: http://hl7.org/fhir/uv/subscriptions-backport/STU1.1/channels.html#websockets
"""

from __future__ import annotations

import asyncio
from contextlib import suppress
from hashlib import sha256
from typing import Any

from starlette.websockets import WebSocket, WebSocketDisconnect

from ecluse.core import clock, tracing
from ecluse.core.errors import EcluseError
from ecluse.core.log import Log
from ecluse.related import told
from fhir_server.server import Server
from fhir_server.subscriptions.taking import SQL, WEBSOCKET
from fhir_server.subscriptions.watch import Far, Listener, Watch
from mappers.subscriptions.bundle import Kind, Standing, notification

PATH = "/subscriptions/websocket"
BIND = "bind-with-token:"
BIND_S = 30.0
MOST_LISTENERS = 200
UNKNOWN, TOO_MANY, AWAY = 4401, 1013, 1011
"""Why a connection is closed: no such token, too many of them, the database is away."""
log = Log("websocket")


def hashed(token: str) -> bytes:
    """The token as it is stored."""
    return sha256(token.encode()).digest()


class Listeners:
    """The connections of one process."""

    def __init__(self) -> None:
        self._count = 0
        self._watch: Watch | None = None

    async def serve(self, socket: WebSocket, server: Server) -> None:
        """One connection, to its end."""
        await socket.accept()
        if self._count >= MOST_LISTENERS:
            await socket.close(TOO_MANY, "Too many listen here; come back.")
            return
        self._count += 1
        try:
            with suppress(WebSocketDisconnect):
                await self._serve(socket, server)
        except EcluseError as error:
            log.warning("a websocket ends", error=type(error).__name__)
            await socket.close(AWAY, "The server cannot read what is to be sent; come back.")
        finally:
            self._count -= 1

    async def _serve(self, socket: WebSocket, server: Server) -> None:
        keys = await _bound(socket, server)
        if keys is None:
            await socket.close(UNKNOWN, f"Begin with `{BIND} TOKEN`, one that $get-ws-binding-token gave not long ago.")
            return
        self._watch = self._watch or Watch(server)
        async with self._watch.listening(keys) as listener:
            left = asyncio.create_task(_left(socket))
            telling = asyncio.create_task(_Telling(socket, server, listener).run(keys))
            await asyncio.wait({left, telling}, return_when=asyncio.FIRST_COMPLETED)
            left.cancel()
            telling.cancel()
            await asyncio.wait({left, telling})
        if not telling.cancelled():
            telling.result()
            await socket.close(reason="No Subscription is left to be told about.")


async def _bound(socket: WebSocket, server: Server) -> list[int] | None:
    """The keys of the Subscriptions that the first message names, None when it names none."""
    try:
        async with asyncio.timeout(BIND_S):
            text = await socket.receive_text()
    except (TimeoutError, KeyError):  # nothing came, or bytes
        return None
    if not text.startswith(BIND):
        return None
    async with server.connection() as conn:
        found: list[int] | None = await conn.fetchval(SQL["bound"], hashed(text.removeprefix(BIND).strip()))
    return found


async def _left(socket: WebSocket) -> None:
    """Returns when the client has left; what it says is not listened to."""
    while (await socket.receive())["type"] != "websocket.disconnect":
        pass


class _Telling:
    """What one connection has heard. at: the last number of each Subscription; heard: when it last heard of it"""

    def __init__(self, socket: WebSocket, server: Server, listener: Listener) -> None:
        self._socket, self._server, self._listener = socket, server, listener
        self._at: dict[int, int] = {}
        self._heard: dict[int, float] = {}

    async def run(self, keys: list[int]) -> None:
        """Tells until it is cancelled, or none of the Subscriptions is left."""
        while keys := [pk for pk in keys if await self._tell(pk)]:
            await self._listener.moved(self._quiet_s(keys))

    def _quiet_s(self, keys: list[int]) -> float | None:
        """Seconds until one of them is to be told that all is well; None when none wants that."""
        beats = {pk: self._listener.seen[pk].heartbeat_s for pk in keys}
        due = [self._heard[pk] + beat_s for pk, beat_s in beats.items() if beat_s]
        return max(0.0, min(due) - clock.monotonic()) if due else None

    async def _tell(self, pk: int) -> bool:
        """Sends all there is for one Subscription; False when it is off."""
        while True:
            async with self._server.connection() as conn:
                row = await told.served(conn, pk)
                if row is None or row["channel"] != WEBSOCKET:
                    self._listener.seen.pop(pk, None)
                    return False
                self._listener.seen[pk] = Far(row["last"], row["delivered"], row["heartbeat_s"])
                found = []
                if pk in self._at:
                    # Below what this connection has heard when somebody has asked for it again.
                    self._at[pk] = min(self._at[pk], row["delivered"])
                    found = await told.kept(conn, pk, self._at[pk] + 1, told.LAST, row["most"])
            kind = self._kind(pk, row["heartbeat_s"], bool(found))
            if kind is None:
                return True
            self._at.setdefault(pk, row["delivered"])
            await self._send(pk, row, kind, found)

    def _kind(self, pk: int, heartbeat_s: int, found: bool) -> Kind | None:
        """What there is to say, if anything."""
        if pk not in self._at:
            return "handshake"
        if found:
            return "event-notification"
        return "heartbeat" if heartbeat_s and clock.monotonic() - self._heard[pk] >= heartbeat_s else None

    async def _send(self, pk: int, row: Any, kind: Kind, found: list[Any]) -> None:
        base = self._server.settings.base(row["site"])
        standing = Standing(base, row["id"], row["topic"], "active", row["last"], row["content"])
        async with self._server.connection() as conn:
            events = await told.events(conn, row["site_number"], row["content"], found)
        bundle = notification(clock.new_id(), clock.now(), kind, standing, events)
        with tracing.sending("notify", (each["traceparent"] for each in found)):
            await self._socket.send_text(bundle.decode())
        self._heard[pk] = clock.monotonic()
        self._at[pk] = events[-1].number if events else self._at[pk]
        async with self._server.connection() as conn:
            await told.arrived(conn, pk, self._at[pk], row["delivered"])

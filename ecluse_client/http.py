"""Events over HTTP, for those without Kafka: Server-Sent Events, read on through every cut.

Enters: the server's address, and a position to go on from. Leaves: events in the order of the store, none skipped and
none twice; the caller keeps the position of the last one that it has handled.
Spec: docs/events.md, https://html.spec.whatwg.org/multipage/server-sent-events.html
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack

import httpx
import msgspec
from httpx_sse import SSEError, aconnect_sse

from ecluse_client.event import Event, Position, of_json

SILENT_S = 60.0
"""A stream that says nothing for so long, not even that it lives, is taken for dead."""
RETRY_S = 1.0


class NoLongerKept(Exception):
    """The events after this position are gone: read everything once (`$export`), then go on from now.
    args: the position, what the server says"""


async def follow(
    url: str, *types: str, since: str | Position = "", site: str = "", http: httpx.AsyncClient | None = None
) -> AsyncIterator[Event]:
    """Events of these resource types, of all when none is named, as they come.

    url: of the server, without /fhir; since: the position of the last event that was handled; without it, from now on;
    http: a client with your credentials
    Raises: NoLongerKept; httpx.HTTPStatusError when the request is refused; SSEError when there are no events at url
    """
    at = str(since)
    async with AsyncExitStack() as stack:
        client = http if http is not None else await stack.enter_async_context(httpx.AsyncClient())
        while True:
            query = {"type": ",".join(types), "site": site, "since": at}
            try:
                async for place, message in _messages(client, url, {k: v for k, v in query.items() if v}):
                    at = place or at
                    if message:
                        yield of_json(message)
            except SSEError:
                raise
            except httpx.TransportError:
                pass
            await asyncio.sleep(RETRY_S)


async def _messages(client: httpx.AsyncClient, url: str, query: dict[str, str]) -> AsyncIterator[tuple[str, bytes]]:
    """Position and data of each message of one stream; data is empty when only the position moved."""
    timeout = httpx.Timeout(SILENT_S, connect=10)
    async with aconnect_sse(client, "GET", f"{url}/events", params=query, timeout=timeout) as source:
        answer = source.response
        if answer.status_code == 410:
            raise NoLongerKept(query.get("since", ""), _reason(await answer.aread()))
        if answer.status_code in (429, 503):
            return
        answer.raise_for_status()
        async for told in source.aiter_sse():
            if told.event == "end":
                _check_end(told.data)
                return
            yield told.id, told.data.encode()


def _reason(body: bytes) -> str:
    """The first sentence of an OperationOutcome, or the text that came in its place."""
    try:
        return str(msgspec.json.decode(body)["issue"][0]["details"]["text"])
    except (msgspec.MsgspecError, UnicodeDecodeError, LookupError, TypeError):
        return body.decode(errors="replace")[:500]


def _check_end(data: str) -> None:
    told = msgspec.json.decode(data or "{}")
    if told.get("status") == 410:
        raise NoLongerKept(told.get("next", ""), told.get("error", ""))

"""One notification on its way to an app.

Enters: a notification. Leaves: nothing when it has arrived, else why not. A hook is https at a public address, or a
host that the operator allows; what its name resolves to is checked and then connected to, so that it cannot change in
between. Redirects are not followed.
Spec: http://hl7.org/fhir/R4/subscription.html#2.45.4.1
"""

from __future__ import annotations

import asyncio
import re
import socket
from typing import NamedTuple

import httpx

from ecluse.core.errors import EcluseError
from ecluse.core.hosts import PORTS, PRIVATE, UNENCRYPTED, is_allowed, is_public

TIMEOUT_S = 20.0
DRAIN_S, DRAIN_BYTES = 1.0, 1 << 16
"""How much of the body of an answer is read before its connection is closed instead."""
NUMBER = "X-Ecluse-Event-Number"
TRACE = re.compile("[0-9a-f]{2}-[0-9a-f]{32}-[0-9a-f]{16}-[0-9a-f]{2}")
"""A traceparent; whoever writes may have sent anything under that name."""


class Undelivered(EcluseError):
    """A notification has not arrived; the words are for the Subscription's owner."""


class Notification(NamedTuple):
    """What is sent. number: of its last event; method: POST, or PUT to `place`, `Type/id`, below the endpoint; body:
    None for an empty notification; traceparent: that of who wrote, as it came, or of the sending"""

    number: int
    endpoint: str
    headers: tuple[str, ...]
    body: bytes | None
    method: str = "POST"
    place: str = ""
    timeout_s: float = TIMEOUT_S
    traceparent: str = ""


async def send(client: httpx.AsyncClient, hosts: frozenset[str], notification: Notification) -> None:
    """Returns when the app has answered with 2xx.

    hosts: HOST or HOST:PORT that the operator allows, whatever their scheme and address
    Raises: Undelivered
    """
    try:
        async with asyncio.timeout(notification.timeout_s):
            url = _url(notification)
            address = await _resolved(url, hosts)
            answer = await client.send(_request(url, address, notification), stream=True)
    except TimeoutError:
        raise Undelivered(f"The hook has not answered within {notification.timeout_s:.0f} s.") from None
    except (httpx.HTTPError, httpx.InvalidURL, OSError, ValueError) as error:
        raise Undelivered(f"The hook does not answer: {type(error).__name__}.") from error
    await _drained(answer)
    if not answer.is_success:
        raise Undelivered(f"The hook answers {answer.status_code}, where 2xx is wanted; redirects are not followed.")


def _url(notification: Notification) -> httpx.URL:
    """Raises: httpx.InvalidURL"""
    url = httpx.URL(notification.endpoint)
    if notification.place:
        return url.copy_with(path=f"{url.path.rstrip('/')}/{notification.place}")
    return url


async def _drained(answer: httpx.Response) -> None:
    """Reads the rest of an answer, so that its connection serves the next one; what is long or slow is cut off. Nobody
    looks at it: the status is the receipt, whatever becomes of the body."""
    size = 0
    try:
        async with asyncio.timeout(DRAIN_S):
            async for part in answer.aiter_raw():
                if (size := size + len(part)) > DRAIN_BYTES:
                    break
    except (TimeoutError, httpx.HTTPError, OSError):
        pass
    finally:
        await answer.aclose()


def _request(url: httpx.URL, address: str, notification: Notification) -> httpx.Request:
    """The connection goes to the address that was checked; certificate and Host are still those of the name."""
    named = [header.partition(":") for header in notification.headers]
    headers = [(name.strip(), value.strip()) for name, _, value in named if name.strip().lower() not in OWN]
    headers += [("Host", url.netloc.decode()), (NUMBER, str(notification.number))]
    if TRACE.fullmatch(notification.traceparent):
        headers.append(("traceparent", notification.traceparent))
    if notification.body is not None:
        headers.append(("Content-Type", "application/fhir+json"))
    extensions = {"sni_hostname": url.host, "timeout": httpx.Timeout(notification.timeout_s).as_dict()}
    content, there = notification.body or b"", url.copy_with(host=address)
    return httpx.Request(notification.method, there, headers=headers, content=content, extensions=extensions)


OWN = {"host", "content-length", "transfer-encoding", "connection", "content-type", "traceparent", NUMBER.lower()}
"""Headers that are not the app's to choose."""


async def _resolved(url: httpx.URL, hosts: frozenset[str]) -> str:
    """The network address of a hook. Raises: Undelivered when it may not be asked"""
    port = url.port or PORTS[url.scheme]
    allowed = is_allowed(url.host, port, hosts)
    if url.scheme != "https" and not allowed:
        raise Undelivered(UNENCRYPTED)
    found = await asyncio.get_running_loop().getaddrinfo(url.host, port, type=socket.SOCK_STREAM)
    addresses = [str(entry[4][0]) for entry in found]
    if not allowed and not all(map(is_public, addresses)):
        raise Undelivered(PRIVATE)
    return addresses[0]

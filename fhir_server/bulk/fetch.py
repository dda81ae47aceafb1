"""Fetches a file from a host that the operator allows, and from no other.

Enters: an address. Leaves: pieces of its content. The host has to stand in `ECLUSE_IMPORT_HOSTS`; what its name
resolves to is checked and then connected to, so that it cannot change in between; redirects are not followed.
"""

from __future__ import annotations

import asyncio
import socket
import ssl
from collections.abc import AsyncIterator

import httpx

from ecluse.core.errors import Unavailable, Unprocessable
from ecluse.core.hosts import PORTS, allowed_hosts, is_allowed, is_public
from ecluse.core.settings import Settings

TIMEOUT = httpx.Timeout(60, connect=10)


def check(settings: Settings, url: str) -> httpx.URL:
    """The address, when it is one that may be fetched.

    Raises: Unprocessable (422)
    """
    try:
        address = httpx.URL(url)
    except (httpx.InvalidURL, ValueError):
        raise Unprocessable("Write the address of the file: https://host/file.ndjson.", diagnostics=url[:200]) from None
    if address.scheme not in PORTS or not address.host or address.userinfo:
        raise Unprocessable(
            "A file is fetched by http or https, without a password in its address.", diagnostics=_shown(address)
        )
    port = address.port or PORTS[address.scheme]
    if not is_allowed(address.host, port, allowed_hosts(settings.import_hosts)):
        raise Unprocessable(
            "This host is not one to fetch from; its operator can add it to ECLUSE_IMPORT_HOSTS.",
            diagnostics=_shown(address),
        )
    return address


def _shown(address: httpx.URL) -> str:
    """The address without what may be secret in it."""
    return f"{address.scheme}://{address.host}{address.path}"[:200]


async def fetch(settings: Settings, url: str) -> AsyncIterator[bytes]:
    """The content, as it was sent, compressed or not.

    Raises: Unprocessable (422) when the host may not be asked or refuses, Unavailable (503) when it is away
    """
    address = check(settings, url)
    host = await _resolved(settings, address)
    # The connection goes to the address that was checked; certificate and Host are still those of the name.
    request = httpx.Request(
        "GET",
        address.copy_with(host=host),
        headers={"Host": address.netloc.decode(), "Accept": "application/fhir+ndjson, */*", "Accept-Encoding": "gzip"},
        extensions={"sni_hostname": address.host, "timeout": TIMEOUT.as_dict()},
    )
    try:
        async with httpx.AsyncClient(verify=ssl.create_default_context(), trust_env=False) as client:
            answer = await client.send(request, stream=True)
            try:
                _check_status(answer, address)
                async for piece in answer.aiter_raw():
                    yield piece
            finally:
                await answer.aclose()
    except httpx.TransportError as error:
        found = f"{_shown(address)}: {type(error).__name__}"
        raise Unavailable("The host of the file does not answer, or broke off.", diagnostics=found) from error


def _check_status(answer: httpx.Response, address: httpx.URL) -> None:
    if answer.status_code in (429, 502, 503, 504):
        raise Unavailable(f"The host of the file answers {answer.status_code}.", diagnostics=_shown(address))
    if answer.status_code != 200:
        text = f"The host of the file answers {answer.status_code}, where 200 is wanted; redirects are not followed."
        raise Unprocessable(text, diagnostics=_shown(address))


async def _resolved(settings: Settings, address: httpx.URL) -> str:
    """The network address of the host.

    Raises: Unprocessable (422) when it is a private one and those are not allowed, Unavailable (503) when there is none
    """
    port = address.port or PORTS[address.scheme]
    try:
        found = await asyncio.get_running_loop().getaddrinfo(address.host, port, type=socket.SOCK_STREAM)
    except OSError as error:
        raise Unavailable("The host of the file has no address.", diagnostics=address.host) from error
    hosts = [str(entry[4][0]) for entry in found]
    if settings.import_private == "refused" and not all(map(is_public, hosts)):
        raise Unprocessable(
            "This host has a private or local address; its operator can allow them with ECLUSE_IMPORT_PRIVATE.",
            diagnostics=address.host,
        )
    return hosts[0]

"""The body of a request, read with a bound.

Enters: the ASGI channel and the headers. Leaves: bytes, inflated.
"""

from __future__ import annotations

import zlib
from collections.abc import AsyncIterator, Mapping
from typing import Any

from ecluse.core.errors import BadRequest, TooLarge, UnsupportedMedia


class Disconnected(Exception):
    """The client left before its body had arrived; nobody waits for an answer."""


async def read_body(receive: Any, headers: Mapping[str, str], limit_bytes: int) -> bytes:
    """The whole body.

    Raises: TooLarge (413), before more than the limit is held; BadRequest (400) when it cannot be inflated;
    UnsupportedMedia (415)"""
    if int(headers.get("content-length") or 0) > limit_bytes:
        raise _too_large(limit_bytes)
    chunks: list[bytes] = []
    size = 0
    async for chunk in pieces(receive):
        size += len(chunk)
        if size > limit_bytes:
            raise _too_large(limit_bytes)
        chunks.append(chunk)
    body = chunks[0] if len(chunks) == 1 else b"".join(chunks)
    return _inflated(body, headers.get("content-encoding", "identity").strip().lower(), limit_bytes)


async def pieces(receive: Any) -> AsyncIterator[bytes]:
    """The body as it comes, for whoever does not hold it.

    Raises: Disconnected
    """
    more = True
    while more:
        message = await receive()
        if message["type"] == "http.disconnect":
            raise Disconnected
        yield message.get("body", b"")
        more = message.get("more_body", False)


def _inflated(body: bytes, encoding: str, limit_bytes: int) -> bytes:
    if encoding in ("identity", ""):
        return body
    if encoding not in ("gzip", "deflate", "x-gzip"):
        raise UnsupportedMedia("Send the body as it is or with Content-Encoding: gzip.", diagnostics=encoding)
    inflater = zlib.decompressobj(zlib.MAX_WBITS | 32)
    try:
        inflated = inflater.decompress(body, limit_bytes + 1)
    except zlib.error as error:
        raise BadRequest(f"The body is not {encoding}.", diagnostics=str(error)) from error
    if len(inflated) > limit_bytes or inflater.unconsumed_tail:
        raise _too_large(limit_bytes)
    if not inflater.eof:
        raise BadRequest(f"The {encoding} body ends too early.")
    return inflated


def _too_large(limit_bytes: int) -> TooLarge:
    return TooLarge(f"The body is larger than {limit_bytes // (1 << 20)} MiB; send it as several bundles.")

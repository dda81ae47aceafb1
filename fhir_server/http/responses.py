"""An answer as HTTP.

Enters: an `Answer`. Leaves: ASGI messages, with ETag, Last-Modified, Location and the request's id; compressed when the
client takes gzip and the body is worth it."""

from __future__ import annotations

import re
import zlib
from email.utils import format_datetime
from typing import Any

from fhir_server.http.download import send_file
from fhir_server.http.request import FHIR_JSON, Answer, Request

WORTH_COMPRESSING_BYTES = 1024
CONTENT_TYPE = f"{FHIR_JSON}; charset=utf-8".encode()
VARY = (b"vary", b"accept, accept-encoding")
_NO_GZIP = re.compile(r"gzip\s*;\s*q=0(?:\.0*)?\s*(?:,|$)")


async def respond(send: Any, answer: Answer, request_id: str, *, gzip: bool = False, head: bool = False) -> None:
    """Sends the answer."""
    body = answer.body
    headers = [(b"x-request-id", request_id.encode("latin-1", "replace")), *_entity_headers(answer)]
    headers.extend((name.lower().encode(), value.encode("latin-1", "replace")) for name, value in answer.headers)
    if answer.file:
        headers.append((b"content-type", answer.media.encode()))
        await send_file(send, answer.file, headers, gzip=gzip, head=head)
        return
    if body:
        headers += [(b"content-type", answer.media.encode() or CONTENT_TYPE), VARY]
        if gzip and len(body) >= WORTH_COMPRESSING_BYTES:
            body = _compressed(body)
            headers.append((b"content-encoding", b"gzip"))
    if answer.status not in (204, 304):
        headers.append((b"content-length", str(len(body)).encode()))
    await send({"type": "http.response.start", "status": answer.status, "headers": headers})
    await send({"type": "http.response.body", "body": b"" if head else body})


def takes_gzip(request: Request) -> bool:
    """Whether the client accepts a compressed body."""
    accepted = request.headers.get("accept-encoding", "")
    return "gzip" in accepted and not _NO_GZIP.search(accepted)


def entity_tag(version: int) -> str:
    """The weak ETag of a version: `W/"3"`."""
    return f'W/"{version}"'


def _entity_headers(answer: Answer) -> list[tuple[bytes, bytes]]:
    headers: list[tuple[bytes, bytes]] = []
    if answer.version is not None:
        headers.append((b"etag", entity_tag(answer.version).encode()))
    if answer.updated is not None:
        headers.append((b"last-modified", format_datetime(answer.updated, usegmt=True).encode()))
    if answer.location:
        headers.append((b"location", answer.location.encode()))
    if answer.event is not None:
        headers.append((b"x-ecluse-event", str(answer.event).encode()))
    return headers


def _compressed(body: bytes) -> bytes:
    compressor = zlib.compressobj(1, zlib.DEFLATED, zlib.MAX_WBITS | 16)
    return compressor.compress(body) + compressor.flush()

"""Requests that are sent again: the first answer once more, and nothing written.

Enters: the transaction of the write and a request with an Idempotency-Key. Leaves: the first answer, when there was
one. The key is claimed and the answer kept in the write's own transaction, so that neither can stand without the other.
"""

from __future__ import annotations

import hashlib
from typing import Any

import msgspec

from ecluse.core.errors import Conflict
from fhir_server.http.request import Answer, Request
from fhir_server.store.resources import SQL

KEY = "idempotency-key"
REPEATED = ("X-Ecluse-Repeated", "true")


async def known_answer(conn: Any, request: Request) -> Answer | None:
    """What this request got the first time, if that is known already; spares the work of reading it again.

    Raises: Conflict (409) when the key came with another body
    """
    key = _key(request)
    return await _kept(conn, request, key) if key else None


async def first_answer(conn: Any, request: Request) -> Answer | None:
    """What this request got the first time; None when this is the first time, which then holds the key, or no key says
    so.

    Raises: Conflict (409) when the key came with another body
    """
    key = _key(request)
    if key is None or await conn.fetchval(SQL["begin_answer"], *key, _body_hash(request), request.received_at):
        return None
    return await _kept(conn, request, key)


async def keep_answer(conn: Any, request: Request, answer: Answer) -> Answer:
    """The same answer, kept for whoever sends the request again."""
    key = _key(request)
    if key is not None:
        await conn.execute(SQL["keep_answer"], *key, msgspec.msgpack.encode(answer))
    return answer


async def _kept(conn: Any, request: Request, key: tuple[int, str, str]) -> Answer | None:
    row = await conn.fetchrow(SQL["first_answer"], *key)
    if row is None:
        return None
    if row["body_hash"] != _body_hash(request):
        raise Conflict("This Idempotency-Key came with another body before; give each request its own.")
    answer = msgspec.msgpack.decode(row["answer"], type=Answer)
    return answer._replace(headers=(*answer.headers, REPEATED))


def _key(request: Request) -> tuple[int, str, str] | None:
    key = request.headers.get(KEY)
    return (request.site.number, request.context.sender, key[:200]) if key else None


def _body_hash(request: Request) -> bytes:
    return hashlib.sha256(request.body).digest()

"""Requests that are sent again: the first answer once more, and nothing written.

Enters: the transaction of the write, a request with an Idempotency-Key, and since when keys are kept. Leaves: the first
answer, when there was one. The key is claimed and the answer kept in the write's own transaction, so that neither can
stand without the other.
"""

from __future__ import annotations

import hashlib
from datetime import datetime

import msgspec

from ecluse.core.db import queries
from ecluse.core.db.pool import Connection
from ecluse.core.errors import BadRequest, Conflict
from fhir_server.http.request import Answer, Request

SQL = queries.load(__package__, "answers.sql")
KEY = "idempotency-key"
LONGEST_KEY = 200
REPEATED = ("X-Ecluse-Repeated", "true")


async def known_answer(conn: Connection, request: Request, since: datetime) -> Answer | None:
    """What this request got the first time, if that is known already; spares the work of reading it again.

    Raises: Conflict (409) when the key came with another request
    """
    key = _key(request)
    return await _kept(conn, request, key, since) if key else None


async def first_answer(conn: Connection, request: Request, since: datetime) -> Answer | None:
    """What this request got the first time; None when this is the first time, which then holds the key, or no key says
    so.

    Raises: Conflict (409) when the key came with another request
    """
    key = _key(request)
    if key is None or await conn.fetchval(SQL["begin_answer"], *key, _hash(request), request.received_at, since):
        return None
    return await _kept(conn, request, key, since)


async def keep_answer(conn: Connection, request: Request, answer: Answer) -> Answer:
    """The same answer, kept for whoever sends the request again."""
    key = _key(request)
    if key is not None:
        await replace(conn, key, answer)
    return answer


async def replace(conn: Connection, key: tuple[int, str, str], answer: Answer) -> None:
    """Puts an answer under a key that is taken. key: site, sender, key"""
    await conn.execute(SQL["keep_answer"], *key, msgspec.msgpack.encode(answer))


async def _kept(conn: Connection, request: Request, key: tuple[int, str, str], since: datetime) -> Answer | None:
    row = await conn.fetchrow(SQL["first_answer"], *key, since)
    if row is None:
        return None
    if row["body_hash"] != _hash(request):
        text = "This Idempotency-Key, or Bundle.identifier, came with another request before; give each its own."
        raise Conflict(text, diagnostics=key[2])
    answer = msgspec.msgpack.decode(row["answer"], type=Answer)
    return answer._replace(headers=(*answer.headers, REPEATED))


def _key(request: Request) -> tuple[int, str, str] | None:
    key = request.headers.get(KEY)
    if key is None:
        return None
    if not key.strip():
        raise BadRequest("Idempotency-Key is empty: write a key of this request's own, or leave the header out.")
    if len(key) > LONGEST_KEY:
        key = hashlib.sha256(key.encode()).hexdigest()
    return request.site.number, request.context.sender, key


def _hash(request: Request) -> bytes:
    """Tells whether a request is the same: what it asks for, and its body."""
    wanted = f"{request.method} {'/'.join(request.segments)}?{request.query}\n"
    return hashlib.sha256(wanted.encode() + request.body).digest()

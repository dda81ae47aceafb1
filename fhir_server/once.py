"""A write that takes place once, whatever the network and the database do in between.

Enters: a request and the work it asks for, as a function of a connection in a transaction. Leaves: the answer to what
was committed, and nothing else: a deadlock or a lost connection before the commit is tried again here, the same
Idempotency-Key gets its first answer, and a commit whose answer was lost is looked for before anything is said of it.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from contextlib import suppress
from datetime import datetime, timedelta

from ecluse.core.db.pool import Connection
from ecluse.core.errors import Overtaken, Unavailable, Uncertain, Undone
from fhir_server.http.request import Answer, Request
from fhir_server.server import Server
from fhir_server.store import intake
from fhir_server.store.answers import first_answer, keep_answer

Work = Callable[[Connection], Awaitable[Answer]]
ATTEMPTS = 5
FIRST_PAUSE_S = 0.01
LOOK_S, LOOK_EVERY_S = 3.0, 0.1


async def once(server: Server, request: Request, work: Work) -> Answer:
    """The answer of the work, committed, or the first answer to the same request.

    work: done again from its beginning when the database undid it, so it changes nothing but by its connection
    Raises: what the work raises; Undone (503) when the database undoes it again and again, Overtaken (409) when others
    do
    """
    for attempt in range(ATTEMPTS - 1):
        try:
            return await _attempt(server, request, work)
        except (Undone, Overtaken):
            await asyncio.sleep(FIRST_PAUSE_S * 2**attempt)
    return await _attempt(server, request, work)


async def _attempt(server: Server, request: Request, work: Work) -> Answer:
    answer: Answer | None = None
    try:
        async with server.transaction() as conn:
            answer = await _answered(conn, server, request, work)
    except Uncertain:
        if answer is None or not await _stands(server, request):
            raise
        server.committed()
    return answer


async def _stands(server: Server, request: Request) -> bool:
    """Whether the write turned out to be committed. A row that is not there proves nothing yet: its transaction may
    still be ending, so it is looked for a while."""
    try:
        async with asyncio.timeout(LOOK_S):
            while not await _found(server, request):
                await asyncio.sleep(LOOK_EVERY_S)
    except TimeoutError:
        return False
    return True


async def _found(server: Server, request: Request) -> bool:
    with suppress(Unavailable):
        async with server.connection() as conn:
            return await intake.stands(conn, request.context)
    return False


async def _answered(conn: Connection, server: Server, request: Request, work: Work) -> Answer:
    repeated = await first_answer(conn, request, kept_since(server, request))
    if repeated is not None:
        return await noted(conn, server, request, repeated)
    return await keep_answer(conn, request, await work(conn))


async def noted(conn: Connection, server: Server, request: Request, repeated: Answer) -> Answer:
    """The same answer; the intake says that it was given again."""
    await intake.note(conn, server.keys, [intake.note_of(request.context, repeated.status, intake.REPEATED)])
    return repeated


def kept_since(server: Server, request: Request) -> datetime:
    """The instant from which on an Idempotency-Key is remembered."""
    return request.received_at - timedelta(days=server.settings.idempotency_days)

"""Work on a database that every process does again and again beside its requests, and one of them at a time.

Enters: the work, a connection. Leaves: the work done until it is cancelled, whatever the database does in between.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager, suppress

from ecluse.core.db.pool import Connection, translated
from ecluse.core.errors import Unavailable


async def repeated(work: Callable[[], Awaitable[object]], every_s: float) -> None:
    """Does the work now and after each pause, until cancelled; while the database is away it is left to the next
    time."""
    while True:
        with suppress(Unavailable), translated():
            await work()
        await asyncio.sleep(every_s)


@asynccontextmanager
async def only_one(conn: Connection, lock: int) -> AsyncIterator[bool]:
    """Whether this process is the one that works, until the end of the block or of the connection.

    lock: the number of the work; by custom four letters of its name"""
    alone: bool = await conn.fetchval("SELECT pg_try_advisory_lock($1)", lock)
    try:
        yield alone
    finally:
        if alone:
            await conn.execute("SELECT pg_advisory_unlock($1)", lock)


@asynccontextmanager
async def unhurried(conn: Connection) -> AsyncIterator[None]:
    """Statements that may take as long as they take, until the end of the block."""
    await conn.execute("SET statement_timeout = 0")
    try:
        yield
    finally:
        await conn.execute("RESET statement_timeout")

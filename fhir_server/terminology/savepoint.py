"""A stretch of statements that all stand or all do not, within a transaction of the caller or without one.

Enters: a connection. Leaves: the same, as it was before when something is raised. asyncpg's own transactions do not
nest in those that the server begins with a statement (`Server.transaction`).
"""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from ecluse.core.db.pool import Connection


@asynccontextmanager
async def atomic(conn: Connection, *, undone: bool = False) -> AsyncIterator[None]:
    """All or nothing. undone: nothing in any case"""
    inner = conn.is_in_transaction()
    await conn.execute("SAVEPOINT terminology" if inner else "BEGIN")
    try:
        yield
    except BaseException:
        await _undo(conn, inner)
        raise
    if undone:
        await _undo(conn, inner)
    else:
        await conn.execute("RELEASE terminology" if inner else "COMMIT")


async def _undo(conn: Connection, inner: bool) -> None:
    if not conn.is_closed():
        await conn.execute("ROLLBACK TO terminology; RELEASE terminology" if inner else "ROLLBACK")

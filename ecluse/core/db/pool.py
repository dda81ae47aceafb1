"""Connections to PostgreSQL.

Enters: an address. Leaves: an asyncpg pool whose connections keep UTC, use no JIT, and end a statement that takes too
long. What is away is `Unavailable`, whatever the driver calls it. A pool outlives restarts of the server: a
connection that was cut is replaced when it is next asked for.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import asyncpg

from ecluse.core.errors import Unavailable

CONNECT_TIMEOUT_S = 10.0
WAIT_TIMEOUT_S = 15.0
IDLE_S = 300.0
AWAY = (
    asyncpg.PostgresConnectionError,
    asyncpg.OperatorInterventionError,
    asyncpg.InsufficientResourcesError,
    asyncpg.TransactionRollbackError,
    asyncpg.LockNotAvailableError,
    asyncpg.ReadOnlySQLTransactionError,
    asyncpg.InternalClientError,  # the connection was cut between two messages
    OSError,
)


CUT = ("is closed", "is closing", "was closed", "released back to the pool")
"""What an InterfaceError says when the server cut the connection; its other texts are mistakes of ours."""


@contextmanager
def translated() -> Iterator[None]:
    """Turns what the driver raises into our errors.

    Raises: Unavailable (503) when the database is away, too busy or broke a deadlock: the same work may succeed later
    """
    try:
        yield
    except AWAY as error:
        raise _unavailable(error) from error
    except asyncpg.InterfaceError as error:
        if isinstance(error, asyncpg.DataError) or not any(words in str(error) for words in CUT):
            raise
        raise _unavailable(error) from error


def _unavailable(error: Exception) -> Unavailable:
    return Unavailable("The database does not answer; try again.", diagnostics=type(error).__name__)


class Pool(asyncpg.Pool):
    """asyncpg's pool, with a bounded wait for a free connection and our errors."""

    async def _acquire(self, timeout: float | None) -> Any:
        wait_s = WAIT_TIMEOUT_S if timeout is None else timeout
        with translated():
            return await super()._acquire(wait_s)  # type: ignore[misc]


async def _leave_no_transaction(conn: Any) -> None:
    """Ends what a cancelled user left open. Nobody sets session state or holds session locks on a pooled connection, so
    the statement that asyncpg would send at every release is spared."""
    if conn.is_in_transaction():
        await conn.execute("ROLLBACK")


async def open_pool(url: str, *, size: int, statement_timeout_ms: int) -> asyncpg.Pool:
    """An open pool; its first connection is tried at once.

    Raises: Unavailable (503) when the database does not answer
    """
    settings = {
        "timezone": "UTC",
        "jit": "off",
        "statement_timeout": str(statement_timeout_ms),
        "application_name": "ecluse",
    }
    pool = Pool(
        url,
        min_size=1,
        max_size=size,
        max_queries=50_000,
        max_inactive_connection_lifetime=IDLE_S,
        connection_class=asyncpg.Connection,
        record_class=asyncpg.Record,
        setup=None,
        init=None,
        reset=_leave_no_transaction,
        loop=None,
        timeout=CONNECT_TIMEOUT_S,
        server_settings=settings,
    )
    with translated():
        await pool
    return pool

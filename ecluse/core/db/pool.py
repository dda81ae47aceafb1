"""Connections to PostgreSQL.

Enters: an address. Leaves: an asyncpg pool whose connections keep UTC, use no JIT, and end a statement that takes too
long. What is away is `Unavailable`, whatever the driver calls it. A pool outlives restarts of the server: a
connection that was cut is replaced when it is next asked for.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import Any

import asyncpg
from asyncpg.pool import PoolConnectionProxy

from ecluse.core.errors import TooSlow, Unavailable, Uncertain, Undone

Connection = asyncpg.Connection | PoolConnectionProxy
"""A connection, of a pool or by itself."""
CONNECT_TIMEOUT_S = 10.0
WAIT_TIMEOUT_S = 15.0
IDLE_S = 300.0
APPLICATION = "ecluse"
"""Under which name our connections stand in the server's list of activities."""
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


LOST = (
    asyncpg.PostgresConnectionError,
    asyncpg.AdminShutdownError,
    asyncpg.CrashShutdownError,
    asyncpg.InternalClientError,
    OSError,
)
"""What ends a connection, and with it the transaction that had not been committed."""
CUT = ("is closed", "is closing", "was closed", "released back to the pool")
"""What an InterfaceError says when the server cut the connection; its other texts are mistakes of ours."""


@contextmanager
def translated() -> Iterator[None]:
    """Turns what the driver raises into our errors.

    Raises: Unavailable (503) when the database is away, too busy or broke a deadlock: the same work may succeed later;
    TooSlow (503) when it ended a statement that took too long
    """
    try:
        yield
    except asyncpg.QueryCanceledError as error:
        advice = "A statement took longer than ECLUSE_STATEMENT_TIMEOUT_MS allows; ask for less at once."
        raise TooSlow(advice, diagnostics=_name(error)) from error
    except AWAY as error:
        raise _unavailable(error) from error
    except asyncpg.InterfaceError as error:
        if not is_cut(error):
            raise
        raise _unavailable(error) from error


def is_cut(error: asyncpg.InterfaceError) -> bool:
    """Whether the driver says that the server cut the connection, and not that it was used wrongly."""
    return not isinstance(error, asyncpg.DataError) and any(words in str(error) for words in CUT)


def _name(error: Exception) -> str:
    return type(error).__name__


@contextmanager
def undone() -> Iterator[None]:
    """The same for the statements of a transaction before its commit: what is lost there was never written.

    Raises: Undone (503) for deadlocks and lost connections; the other errors stay what they are
    """
    try:
        yield
    except (*LOST, asyncpg.TransactionRollbackError, asyncpg.LockNotAvailableError) as error:
        raise Undone("The database undid the transaction; nothing was written.", diagnostics=_name(error)) from error
    except asyncpg.InterfaceError as error:
        if not is_cut(error):
            raise
        raise Undone("The database undid the transaction; nothing was written.", diagnostics=_name(error)) from error


async def commit(conn: Connection) -> None:
    """Ends the transaction of a connection with its changes kept.

    Raises: Undone (503) when the database refused, Uncertain (503) when its answer was lost on the way
    """
    try:
        told = await conn.execute("COMMIT")
    except asyncpg.TransactionRollbackError as error:
        raise Undone("The database undid the transaction; nothing was written.", diagnostics=_name(error)) from error
    except (*AWAY, asyncpg.InterfaceError) as error:
        text = "The database was lost during the commit; send the request again under the same Idempotency-Key."
        raise Uncertain(text, diagnostics=_name(error)) from error
    if told != "COMMIT":  # PostgreSQL ends a failed transaction by ROLLBACK, and calls that no error
        raise RuntimeError(f"a statement failed unseen, the transaction ended by {told}")


def _unavailable(error: Exception) -> Unavailable:
    return Unavailable("The database does not answer; try again.", diagnostics=_name(error))


class Pool(asyncpg.Pool):
    """asyncpg's pool, with a bounded wait for a free connection and our errors."""

    async def _acquire(self, timeout: float | None) -> Any:
        wait_s = WAIT_TIMEOUT_S if timeout is None else timeout
        with translated():
            return await super()._acquire(wait_s)  # type: ignore[misc]


async def _leave_no_transaction(conn: Connection) -> None:
    """Ends what a cancelled user left open. Whoever sets session state or takes a session lock on a pooled connection
    takes it back (upkeep.py), so the statement that asyncpg would send at every release is spared."""
    if conn.is_in_transaction():
        await conn.execute("ROLLBACK")


async def open_pool(
    url: str, *, size: int, statement_timeout_ms: int, least: int = 1, more: Mapping[str, str] | None = None
) -> Pool:
    """An open pool; its first connections are tried at once.

    least: connections that it always has; more: further settings of PostgreSQL for each connection
    Raises: Unavailable (503) when the database does not answer
    """
    settings = {
        "timezone": "UTC",
        "jit": "off",
        "statement_timeout": str(statement_timeout_ms),
        "application_name": APPLICATION,
        **(more or {}),
    }
    pool = Pool(
        url,
        min_size=least,
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

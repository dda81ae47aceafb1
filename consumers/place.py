"""Which of a consumer's processes leads.

Enters: a connection that is kept open. Leaves: one process that leads, which walks through the store, takes dead
letters again and publishes; the others stand by, or consume beside it. The right ends with the connection, so that a
leader which dies is followed at once.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from typing import Any

import asyncpg

from ecluse.bus.backoff import pause
from ecluse.core.db import queries
from ecluse.core.log import Log

SQL = queries.load(__package__, "place.sql")
LOOK_S = 1.0

logger = Log("consumer")


async def take(conn: Any, consumer: str, joins: Callable[[], Awaitable[bool]], stop: asyncio.Event) -> bool | None:
    """True for the process that leads, False for one that consumes beside it, None when `stop` came first.

    conn: kept open for as long as the place; joins: whether this process may consume beside a leader by now"""
    await conn.execute(SQL["present"], consumer)
    while not stop.is_set():
        if await conn.fetchval(SQL["lead"], consumer):
            return True
        if await joins():
            return False
        await pause(stop, LOOK_S)
    return None


async def keep(conn: Any, consumer: str, leads: bool, stop: asyncio.Event, over: asyncio.Event) -> None:
    """Sets `over` with `stop`, and when this place has ended: its connection is gone, or nobody leads any more."""
    try:
        while not stop.is_set():
            await pause(stop, LOOK_S)
            if await conn.fetchval(SQL["lead"], consumer) != leads:
                logger.info("nobody leads, this process begins again", consumer=consumer)
                return
    except (asyncpg.PostgresError, asyncpg.InterfaceError, OSError) as error:
        logger.warning("consumer has lost its place", consumer=consumer, error=type(error).__name__)
    finally:
        over.set()


async def processes(pool: Any, consumer: str) -> int:
    """How many processes of a consumer there are, with those that stand by."""
    count: int = await pool.fetchval(SQL["processes"], consumer)
    return count

"""A shadow of the warehouse, and the one process that may have to do with it.

Enters: opened databases. Leaves: no shadow with which nobody goes on: while it is not built it follows no erasure.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from datetime import timedelta
from typing import Any

from consumers import place
from ecluse.bus import outbox
from ecluse.core.db import queries
from ecluse.core.db.databases import Databases
from ecluse.core.db.pool import translated
from ecluse.core.errors import BadRequest, Unavailable
from ecluse.core.log import Log

SQL = queries.load(__package__, "shadow.sql")
COPY = "warehouse-shadow"
KEPT = timedelta(days=1)
EXPIRE_EVERY_S = 3600.0

logger = Log("shadow")


@asynccontextmanager
async def alone(pool: Any) -> AsyncIterator[Any]:
    """A connection of the one process that has to do with the shadow.

    Raises: BadRequest (400) when that is another one"""
    async with pool.acquire() as conn:
        if not await conn.fetchval(place.SQL["lead"], COPY):
            raise BadRequest("Another process builds a shadow of the warehouse: wait for it, or end it.")
        try:
            yield conn
        finally:
            await conn.execute(place.SQL["leave"], COPY)


async def forget(conn: Any, store: Any) -> None:
    """Leaves nothing of a shadow. store: the store's database, whose outbox is kept for it"""
    async with conn.transaction():
        await conn.execute(SQL["drop"])
        await conn.execute(SQL["forget"], COPY)
    await store.execute(outbox.SQL["forget_cursor"], COPY)


async def keep(databases: Databases) -> None:
    """Drops a shadow that was left, each hour until cancelled, and says so."""
    while True:
        with suppress(Unavailable, BadRequest), translated():
            if await expire(databases):
                logger.warning("shadow of the warehouse is dropped: nobody went on with it")
        await asyncio.sleep(EXPIRE_EVERY_S)


async def expire(databases: Databases) -> bool:
    """Whether there was a shadow with which nobody had gone on for a day; it is dropped.

    Raises: BadRequest (400) while a process builds it"""
    if not await databases.warehouse.fetchval(SQL["there"]):
        return False
    async with alone(databases.warehouse) as conn:
        left: bool = await conn.fetchval(SQL["left"], COPY, KEPT)
        if left:
            await forget(conn, databases.store)
        return left

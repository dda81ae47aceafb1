"""Shadows of consumers, and the one process that may have to do with each.

Enters: opened databases. Leaves: no shadow with which nobody goes on: while it is not built it follows no erasure.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from datetime import timedelta
from functools import partial
from typing import Any

from consumers import place, registry
from consumers.beside import Copy
from ecluse.bus import outbox
from ecluse.core.db import queries
from ecluse.core.db.databases import Databases
from ecluse.core.db.upkeep import repeated
from ecluse.core.errors import BadRequest
from ecluse.core.log import Log
from ecluse.core.settings import Settings

SQL = queries.load(__package__, "shadow.sql")
KEPT = timedelta(days=1)
EXPIRE_EVERY_S = 3600.0

logger = Log("shadow")


@asynccontextmanager
async def alone(copy: Copy) -> AsyncIterator[Any]:
    """A connection of the one process that has to do with this shadow.

    Raises: BadRequest (400) when that is another one"""
    async with copy.pool.acquire() as conn:
        if not await conn.fetchval(place.SQL["lead"], copy.name):
            raise BadRequest(f"Another process builds a shadow of {copy.live}: wait for it, or end it.")
        try:
            yield conn
        finally:
            await conn.execute(place.SQL["leave"], copy.name)


async def forget(copy: Copy, conn: Any, store: Any) -> None:
    """Leaves nothing of a shadow. store: the store's database, whose outbox is kept for it"""
    async with conn.transaction():
        await copy.drop(conn)
        await conn.execute(SQL["forget"], copy.name)
    await store.execute(outbox.SQL["forget_cursor"], copy.name)


async def keep(settings: Settings, databases: Databases) -> None:
    """Drops shadows that were left, each hour until cancelled, and says so."""

    async def drop(copy: Copy) -> None:
        with suppress(BadRequest):
            if await expire(copy, databases.store):
                logger.warning("shadow is dropped: nobody went on with it", consumer=copy.live)

    copies = registry.copies(settings, databases).values()
    await asyncio.gather(*(repeated(partial(drop, copy), EXPIRE_EVERY_S) for copy in copies))


async def expire(copy: Copy, store: Any) -> bool:
    """Whether there was a shadow with which nobody had gone on for a day; it is dropped. store: the store's database

    Raises: BadRequest (400) while a process builds it"""
    if not await copy.there(copy.pool):
        return False
    async with alone(copy) as conn:
        left: bool = await conn.fetchval(SQL["left"], copy.name, KEPT)
        if left:
            await forget(copy, conn, store)
        return left

"""A second text index beside the one that is searched, made anew and put in its place.

Enters: changes, as the live sink gets them. Leaves: an index in DATA/index/shadow, and in schema `search_shadow` what
belongs to it. When the live consumer waits, `search.generation` becomes that of the copy, in the transaction that puts
rows and books right. From then on it is the one: whoever comes first, this process or the live consumer, which finds
that its own is no longer meant, makes it the one that is searched (ecluse/index/folder.py). In between the old one is.
"""

from __future__ import annotations

import asyncio
from collections.abc import Mapping, Sequence
from typing import Any

import asyncpg

from consumers.beside import Difference, Redirected, Tables
from consumers.search_index.sink import SearchIndexSink
from consumers.sink import Change, Disposition
from ecluse.core.db import queries
from ecluse.core.db.databases import Databases
from ecluse.core.errors import BadRequest
from ecluse.core.settings import Settings
from ecluse.index import folder
from ecluse.index.difference import differing, opened

SQL = queries.load(__package__, "shadow.sql")
TABLES = Tables(
    {"search": "search_shadow"},
    {
        "search.document": ("site", "type", "id"),
        "search.link": ("site", "binary_id", "type", "id"),
        "search.binary_text": ("site", "id"),
    },
    # Changed in its row: a consumer that waits for the row has to find the other generation in it.
    alone=("search.generation",),
)
REPORTS = "text index"
ELSEWHERE = (
    "The text index in {home} is not the one that the consumer `search` writes: "
    "run this command where it runs, with its ECLUSE_DATA."
)
LOST = "The folder of the shadow is not as its books say: `ecluse replay search --abort`, then begin again."


class ShadowIndexSink(SearchIndexSink):
    """The sink of the copy."""

    name = "search-shadow"

    def __init__(self, settings: Settings, databases: Databases) -> None:
        super().__init__(settings, databases)
        self._home = folder.beside(self._home)

    async def _adopt(self, conn: Any) -> None:
        own = await conn.fetchval(SQL["own_generation"])
        if own not in (None, self._index.generation):
            raise BadRequest(LOST)
        await super()._adopt(Redirected(conn, TABLES))

    async def write(self, conn: Any, changes: Sequence[Change]) -> Sequence[Disposition]:
        """As the live sink's."""
        return await super().write(Redirected(conn, TABLES), changes)


class IndexCopy:
    """The Copy of the text index."""

    live = SearchIndexSink.name
    name = ShadowIndexSink.name

    def __init__(self, settings: Settings, databases: Databases) -> None:
        self._settings = settings
        self._databases = databases
        self._home = settings.data / "index"
        self._before: Any = None
        self._after: Any = None

    @property
    def pool(self) -> asyncpg.Pool:
        """The store's database."""
        return self._databases.store

    def sink(self) -> ShadowIndexSink:
        """The folder and the schema of the copy."""
        return ShadowIndexSink(self._settings, self._databases)

    async def there(self, conn: Any) -> bool:
        """Whether the schema is there, or the folder."""
        return await TABLES.there(conn) or folder.beside(self._home).exists()

    async def stands(self, conn: Any) -> bool:
        """Whether every table is there, and the folder that they belong to; not one that was put in its place."""
        if not await TABLES.stand(conn):
            return False
        own, live = [await conn.fetchval(SQL[name]) for name in ("own_generation", "live_generation")]
        return own is None or own == folder.generation(folder.beside(self._home)) != live

    async def make(self, conn: Any) -> None:
        """Empty tables; the folder is made when the sink is opened.

        Raises: BadRequest (400) when the live index is not in this folder"""
        if await conn.fetchval(SQL["live_generation"]) != folder.generation(self._home):
            raise BadRequest(ELSEWHERE.format(home=self._home))
        await TABLES.make(conn)

    async def put_right(self, conn: Any) -> dict[str, Difference]:
        """Makes the live tables what the copy is, and says that its index is the one."""
        self._before = await asyncio.to_thread(opened, self._home)
        self._after = await asyncio.to_thread(opened, folder.beside(self._home))
        found = await TABLES.put_right(conn)
        await conn.execute(SQL["exchange"])
        return found

    async def put_in_place(self, conn: Any) -> Mapping[str, Difference]:
        """Makes the index that is the one the one that is searched, and counts what differed."""
        await self._finish(conn)
        await asyncio.to_thread(folder.tidy_if_free, self._home)
        return {REPORTS: Difference(*await asyncio.to_thread(differing, self._before, self._after))}

    async def drop(self, conn: Any) -> None:
        """No schema of the copy any more, and no folder, but one that is to be put in place still."""
        await self._finish(conn)
        await TABLES.drop(conn)
        await asyncio.to_thread(folder.drop_beside, self._home)

    async def _finish(self, conn: Any) -> None:
        generation = await conn.fetchval(SQL["live_generation"])
        if generation is not None:
            await asyncio.to_thread(folder.put_in_place, self._home, generation)

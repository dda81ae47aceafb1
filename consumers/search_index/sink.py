"""The consumer that keeps the text index in step with the store.

Enters: changes of reports and of Binaries. Leaves: the text of the reports in DATA/index, and in schema `search` what
the index cannot find again by itself.

    1  rows     documents and Binaries that wait for each other (apart.py)
    2  index    old entries out, new ones in, commit; after an erasure the rest is written again
    3  books    where each touched resource stands, and the commit they belong to; the runner commits PostgreSQL

A crash between 2 and 3 is harmless: the same changes come again and take out what they put in. An index that is of
another generation than its ledger, or behind it, has lost something: it is emptied, and the consumer walks through the
store. So it is after a restore of the database, when the index may know reports that the store does not. When the
ledger describes one that was made anew beside it (shadow.py), the consumer goes over to that one.
"""

from __future__ import annotations

import asyncio
from collections.abc import Collection, Iterable, Iterator, Sequence
from functools import lru_cache
from typing import Any

import asyncpg

from consumers import ledger
from consumers.search_index import apart
from consumers.search_index.apart import SQL, Placed, Settled
from consumers.sink import MAPPED, Change, Disposition, Excluded
from ecluse.bus import epoch
from ecluse.bus.event import Event
from ecluse.core.db.databases import Databases
from ecluse.core.errors import Fenced, Unavailable
from ecluse.core.log import Log
from ecluse.core.settings import Settings
from ecluse.index.protocol import Entry, IndexWriter
from ecluse.index.tantivy import Writer
from mappers.document import mapping
from mappers.document.record import Context, Document, Part
from mappers.document.record import Excluded as NoDocument

log = Log("search")


class SearchIndexSink:
    """The Sink of the text index."""

    name = "search"
    purpose = "care"
    every_version = False
    several = False
    types = frozenset({*mapping.MAPPERS, "Binary"})

    def __init__(self, settings: Settings, databases: Databases) -> None:
        self._databases = databases
        self._home = settings.data / "index"
        self._settings = settings
        self._context = lru_cache(1024)(self._make_context)
        self._index: IndexWriter

    @property
    def pool(self) -> asyncpg.Pool:
        """The store's database."""
        return self._databases.store

    async def open(self, *, leads: bool = True) -> None:
        """Takes the index over.

        Raises: Unavailable (503) when another process writes it or its folder cannot be used
        """
        self._index = await asyncio.to_thread(Writer, self._home)
        try:
            async with self.pool.acquire() as conn, conn.transaction():
                await self._adopt(conn)
        except BaseException:
            await self.close()
            raise

    async def close(self) -> None:
        """Lets another process write."""
        await asyncio.to_thread(self._index.close)

    async def _adopt(self, conn: Any) -> None:
        present = await epoch.current(conn)
        known = await conn.fetchrow(SQL["generation"])
        if known is not None:
            # One that was made anew, and whose building ended before it was put in its place.
            await asyncio.to_thread(self._index.change_to, known["generation"])
        if known is None:
            lost = "" if self._index.empty else "the database is another one"
        else:
            lost = _lost(self._index, known, present)
        if lost:
            log.warning("text index is built again from the store", consumer=self.name, reason=lost)
            self._index.clear()
            await conn.execute(SQL["walk_again"], self.name)
        await conn.execute(SQL["adopt"], self._index.generation, self._index.opstamp, present)

    def _make_context(self, site: str) -> Context:
        return Context(self._settings.bases(site))

    def map(self, event: Event, resource: dict[str, Any], person: int | None) -> Document | Part | Excluded:
        """The document that a report is, the text of a Binary, or why there is none."""
        if event.type == "Binary":
            return mapping.binary(resource)
        found = mapping.document(resource, self._context(event.site))
        return Excluded(found.reason) if isinstance(found, NoDocument) else found

    async def write(self, conn: Any, changes: Sequence[Change]) -> Sequence[Disposition]:
        """MAPPED for each: the books are written here, since one change may move the standing of another one."""
        settled = await apart.settle(conn, changes)
        keys = {change.event.key for change in changes}
        erasing = any(change.event.op == "erased" for change in changes)
        told = {key for key in keys if "/Binary/" not in key}
        await self._write_index(conn, told, settled.documents, erasing)
        await ledger.settle(conn, self.name, list(_books(settled, keys)))
        return [MAPPED] * len(changes)

    async def _write_index(self, conn: Any, told: set[str], documents: Sequence[Placed], erasing: bool) -> None:
        keys = sorted(told | {"/".join(placed.key) for placed in documents})
        if not keys and not erasing:
            return
        if await conn.fetchval(SQL["described"], self._index.generation) is None:
            raise Fenced("another text index has taken the place of this one")
        entries = [_entry(placed) for placed in documents if placed.standing.text]
        opstamp = await asyncio.to_thread(_replace, self._index, keys, entries, erasing)
        if await conn.execute(SQL["committed"], self._index.generation, opstamp) != "UPDATE 1":
            raise Fenced("another process writes the text index")

    async def committed(self) -> None:
        """Nothing is kept in memory."""


def _lost(index: IndexWriter, known: Any, present: int) -> str:
    """Why the index is not the one that the ledger describes, "" when it is."""
    if known["generation"] != index.generation:
        return "the folder was lost"
    if index.opstamp < known["opstamp"]:
        return "the folder is an older copy"
    return "the database was restored" if known["epoch"] != present else ""


def _replace(index: IndexWriter, keys: Iterable[str], entries: Iterable[Entry], erasing: bool) -> int:
    """The opstamp after old entries went and new ones came; all or nothing.

    erasing: no file may keep what went

    Raises: Unavailable (503) when the index cannot be written, Fenced (503) when it has to be opened anew
    """
    try:
        index.delete(keys)
        index.add(entries)
        opstamp = index.commit()
        return index.rewrite() if erasing else opstamp
    except BaseException:
        try:
            index.rollback()
        except Unavailable as error:
            raise Fenced("the text index has to be opened anew") from error
        raise


def _entry(placed: Placed) -> Entry:
    document = placed.document
    return Entry(
        key="/".join(placed.key),
        site=placed.key[0],
        patient=placed.patient or "",
        codes=document.codes,
        display=document.display,
        date=document.date,
        title=document.title,
        text=placed.standing.text or "",
        status=document.status,
        authors=document.authors,
    )


def _books(settled: Settled, claimed: Collection[str]) -> Iterator[tuple[ledger.Key, str, str]]:
    """What the ledger has to say of the touched resources. claimed: those that it says are mapped already"""
    standings = [*((placed.key, placed.standing) for placed in settled.documents), *settled.binaries]
    for key, standing in standings:
        if (standing.state, standing.reason) != ("mapped", "") or "/".join(key) not in claimed:
            yield key, standing.state, standing.reason

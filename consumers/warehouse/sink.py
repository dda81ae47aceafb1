"""The consumer that keeps the OMOP warehouse in step with the store.

Enters: changes of the resource types that have a mapper. Leaves: rows in `omop`, what ties them to resources in
`omop_map`. Whatever the order of the changes and however often one comes, the end is the same but for the numbers of
the ids.

    1  lock     one writer at a time
    2  gather   what stands, who waited for whom, what hangs on what goes (gather.py)
    3  store    rows out, links loosed and tied, rows in, observation periods (store.py)
    4  books    resources that waited and stand now, and those that must wait again
"""

from __future__ import annotations

from collections.abc import Sequence
from functools import lru_cache
from typing import Any

import asyncpg

from consumers import ledger
from consumers.sink import MAPPED, REMOVED, Change, Disposition, Excluded
from consumers.warehouse.board import SQL, Board, Key, Wish
from consumers.warehouse.gather import gather
from consumers.warehouse.store import store
from ecluse.bus.event import Event
from ecluse.core.db.databases import Databases
from ecluse.core.settings import Settings, SettingsError
from mappers.warehouse import mapping, record
from mappers.warehouse.record import Context, Mapped

LOCK = 0x4F4D4F50
NOTE_TEXT = ("empty", "identified")


class WarehouseSink:
    """The Sink of the warehouse."""

    name = "warehouse"
    purpose = "research"
    every_version = False
    several = True
    types = frozenset(mapping.MAPPERS)

    def __init__(self, settings: Settings, databases: Databases) -> None:
        """Raises: SettingsError when omop_note_text is a word that nobody knows"""
        self._databases = databases
        self._settings = settings
        if settings.omop_note_text not in NOTE_TEXT:
            raise SettingsError(f"ECLUSE_OMOP_NOTE_TEXT={settings.omop_note_text} is neither of {', '.join(NOTE_TEXT)}")
        self._note_text = settings.omop_note_text == "identified"
        self._context = lru_cache(1024)(self._make_context)

    @property
    def pool(self) -> asyncpg.Pool:
        """The database of the warehouse."""
        return self._databases.warehouse

    async def open(self, *, leads: bool = True) -> None:
        """Nothing to prepare: the tables are there since the migrations."""

    async def close(self) -> None:
        """Nothing to end."""

    def _make_context(self, site: str) -> Context:
        return Context(self._settings.bases(site), self._note_text)

    def map(self, event: Event, resource: dict[str, Any], person: int | None) -> Mapped | Excluded:
        """The rows of a resource, by reference, or why it has none."""
        found = mapping.rows(resource, self._context(event.site), event.body)
        if isinstance(found, record.Excluded):
            return Excluded(found.reason)
        return found._replace(patient=event.owner) if event.survivor and found.patient == event.patient else found

    async def write(self, conn: Any, changes: Sequence[Change]) -> Sequence[Disposition]:
        """What became of each change, in order; runs in the caller's transaction."""
        keys: list[Key] = [(change.event.site, change.event.type, change.event.id) for change in changes]
        board = Board(
            {
                key: Wish(None if change.remove else change.payload, change.person)
                for key, change in zip(keys, changes, strict=True)
            },
            fresh=[key for key, change in zip(keys, changes, strict=True) if change.fresh],
        )
        await conn.execute(SQL["begin"], LOCK)
        await gather(conn, board)
        board.kept = await self._kept_ids(conn, board)
        await store(conn, board)
        await conn.execute(SQL["end"])
        await self._tell(conn, board, set(keys))
        return [_disposition(board, key) for key in keys]

    async def _kept_ids(self, conn: Any, board: Board) -> dict[tuple[Key, str, int], int]:
        """The ids that rows must get which do not stand yet; none: they get new ones."""
        return {}

    async def _tell(self, conn: Any, board: Board, told: set[Key]) -> None:
        """Books what the batch did to resources that are not in it."""
        others = [key for key in board.wishes if key not in told]
        standing = [key for key in others if key in board.waited and board.place(key).state == "stands"]
        waiting = [key for key in others if board.place(key).state == "waits"]
        await ledger.resolve(conn, self.name, standing)
        await ledger.suspend(conn, self.name, [(key, _disposition(board, key).reason) for key in waiting])

    async def committed(self) -> None:
        """Nothing is kept in memory."""


def _disposition(board: Board, key: Key) -> Disposition:
    place, mapped = board.place(key), board.wishes[key].mapped
    if place.state == "gone" or mapped is None:
        return REMOVED
    if place.state == "waits":
        return Disposition("waiting", f"waiting for {(place.parent or key)[1]}")
    return Disposition("mapped", ", ".join(mapped.losses)) if mapped.losses else MAPPED

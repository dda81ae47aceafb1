"""A second warehouse beside the one that is read, made anew and then compared with it.

Enters: changes, as the live sink gets them. Leaves: rows in schemas of their own, under the ids that the same rows have
in the live tables; at the end the live tables with what differed put right.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import asyncpg

from consumers.beside import Difference, Redirected, Tables
from consumers.sink import Change, Disposition
from consumers.warehouse.board import SQL as LIVE
from consumers.warehouse.board import Board, Key, columns
from consumers.warehouse.sink import WarehouseSink
from ecluse.core.db import queries
from ecluse.core.db.databases import Databases
from ecluse.core.settings import Settings
from mappers.warehouse.tables import MAPPED
from mappers.warehouse.tables import TABLES as CDM

SQL = queries.load(__package__, "shadow.sql")
TABLES = Tables(
    {"omop": "omop_shadow", "omop_map": "omop_map_shadow"},
    {
        **{f"omop.{table}": (CDM[table].key,) for table in (*MAPPED, "observation_period")},
        "omop_map.id_map": ("site", "resource_type", "resource_id", "omop_table", "part"),
        "omop_map.waiting": ("site", "resource_type", "resource_id"),
        "omop_map.link": ("omop_table", "omop_id", "link"),
        "omop_map.code": ("site", "resource_type", "resource_id"),
    },
)
"""What the consumer fills, and by what its rows are told apart. The other tables of the CDM are their owners'."""


class ShadowSink(WarehouseSink):
    """The sink of the copy."""

    name = "warehouse-shadow"
    several = False

    async def write(self, conn: Any, changes: Sequence[Change]) -> Sequence[Disposition]:
        """What became of each change, in order; one at a time with the writes of the live sink."""
        return await super().write(Redirected(conn, TABLES), changes)

    async def _kept_ids(self, conn: Any, board: Board) -> dict[tuple[Key, str, int], int]:
        """Those of the live rows."""
        rows = await conn.live.fetch(LIVE["held"], *columns(board.wishes))
        return {((site, kind, own), table, part): omop_id for site, kind, own, table, part, omop_id, *_ in rows}


class WarehouseCopy:
    """The Copy of the warehouse."""

    live = WarehouseSink.name
    name = ShadowSink.name

    def __init__(self, settings: Settings, databases: Databases) -> None:
        self._settings = settings
        self._databases = databases

    @property
    def pool(self) -> asyncpg.Pool:
        """The database of the warehouse."""
        return self._databases.warehouse

    def sink(self) -> ShadowSink:
        """The schemas of the copy.

        Raises: what WarehouseSink raises"""
        return ShadowSink(self._settings, self._databases)

    async def there(self, conn: Any) -> bool:
        """Whether a schema is there."""
        return await TABLES.there(conn)

    async def stands(self, conn: Any) -> bool:
        """Whether every table is there."""
        return await TABLES.stand(conn)

    async def make(self, conn: Any) -> None:
        """Empty tables, as the live ones are."""
        await TABLES.make(conn)

    async def put_right(self, conn: Any) -> dict[str, Difference]:
        """Makes the live tables what the copy is."""
        await conn.execute(SQL["period_ids"])
        return await TABLES.put_right(conn)

    async def put_in_place(self, conn: Any) -> Mapping[str, Difference]:
        """Nothing: all of it is in tables."""
        return {}

    async def drop(self, conn: Any) -> None:
        """No schema of the copy any more."""
        await TABLES.drop(conn)

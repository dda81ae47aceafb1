"""A sink whose rows are what it was told: the last content of each resource, in PostgreSQL."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from typing import Any

from consumers.sink import MAPPED, REMOVED, Change, Disposition, Excluded
from ecluse.bus.event import Event
from ecluse.core.errors import Unmappable

TABLE = """
CREATE SCHEMA IF NOT EXISTS recording;
CREATE TABLE IF NOT EXISTS recording.row (
    site text, type text, id text, version int, epoch int, person bigint, text text CHECK (text <> 'unwritable'),
    PRIMARY KEY (site, type, id)
);
CREATE TABLE IF NOT EXISTS recording.write (at bigint GENERATED ALWAYS AS IDENTITY, key text, version int);
"""


class RecordingSink:
    """Maps the text of a resource, the hash of a document, or does what the text says."""

    name = "recording"
    purpose = "care"
    every_version = False
    several = True
    types = frozenset({"Patient", "Observation", "DocumentReference"})

    def __init__(self, pool: Any, *, unmappable: frozenset[str] = frozenset({"unmappable"})) -> None:
        self.pool = pool
        self.unmappable = unmappable
        self.commits = 0

    async def open(self, *, leads: bool = True) -> None:
        await self.pool.execute(TABLE)

    async def close(self) -> None:
        return

    def map(self, event: Event, resource: dict[str, Any], person: int | None) -> Any:
        if event.type == "DocumentReference":
            return hashlib.sha256(resource["content"][0]["attachment"]["data"].encode()).hexdigest()
        text = resource.get("text", "")
        if text in self.unmappable:
            raise Unmappable("the text cannot be mapped")
        if text == "broken":
            raise KeyError("DUPONT")
        if text == "excluded":
            return Excluded("not wanted")
        return text

    async def write(self, conn: Any, changes: Sequence[Change]) -> Sequence[Disposition]:
        gone = [c.event for c in changes if c.remove]
        kept = [c for c in changes if not c.remove]
        await conn.executemany(
            "DELETE FROM recording.row WHERE site = $1 AND type = $2 AND id = $3",
            [(e.site, e.type, e.id) for e in gone],
        )
        await conn.executemany(
            """INSERT INTO recording.row VALUES ($1, $2, $3, $4, $5, $6, $7) ON CONFLICT (site, type, id) DO UPDATE
               SET version = excluded.version, epoch = excluded.epoch, person = excluded.person,
                   text = excluded.text""",
            [(c.event.site, c.event.type, c.event.id, *reversed(c.event.order), c.person, c.payload) for c in kept],
        )
        await conn.executemany(
            "INSERT INTO recording.write (key, version) VALUES ($1, $2)",
            [(c.event.key, c.event.version) for c in changes],
        )
        return [REMOVED if c.remove else MAPPED for c in changes]

    async def committed(self) -> None:
        self.commits += 1


async def rows(pool: Any) -> list[tuple[Any, ...]]:
    """What stands in the sink, persons apart: their numbers are given in order of arrival."""
    found = await pool.fetch("SELECT type, id, epoch, version, text FROM recording.row ORDER BY 1, 2")
    return [tuple(row) for row in found]

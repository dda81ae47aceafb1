"""Which Patients were merged into which, and what moved with them.

Enters: a connection in the caller's transaction. Leaves: rows of fhir.merged, which searches, compartments and events
read; no resource but the two Patients is changed. A resource moves by being sent again on the bus, under its version.

Who reads the bus learns of a merge in two ways, of which one reaches every resource: `tell` sends what was stored when
the merge was committed; what is committed later is read with the merge beside it. So `tell` runs after the commit."""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial
from typing import NamedTuple

from ecluse.bus.position import Position, latest
from ecluse.core.db import queries
from ecluse.core.db.pool import Connection, Pool
from ecluse.core.db.upkeep import repeated
from fhir_server.store import compartment
from fhir_server.store.compartment import Reach

SQL = queries.load(__package__, "merges.sql")
LOCK = 0x4D455247
EVERY_S = 10.0


class Merged(NamedTuple):
    """The merge of a Patient. target: None after it was undone; versions: those that the merge made of both; told: what
    moved is on the bus."""

    source: str
    target: str | None
    survivor: str
    number: int
    source_version: int
    target_version: int
    told: bool


async def lock(conn: Connection, site: int) -> None:
    """Waits for other merges of the site, until the transaction ends."""
    await conn.execute(SQL["lock"], LOCK, site)


async def merged(conn: Connection, site: int, source: str) -> Merged | None:
    """The merge of a Patient, None when there never was one."""
    row = await conn.fetchrow(SQL["merged"], site, source)
    return Merged(*row) if row else None


async def sources(conn: Connection, site: int, survivor: str) -> tuple[str, ...]:
    """The Patients that are this one now."""
    return tuple(row["source"] for row in await conn.fetch(SQL["sources"], site, survivor))


async def with_sources(conn: Connection, site: int, patients: Sequence[str]) -> list[str]:
    """These Patients, and those that are one of them now."""
    rows = await conn.fetch(SQL["sources_of_all"], site, patients)
    return list(dict.fromkeys([*patients, *(row["source"] for row in rows)]))


async def tell(conn: Connection, site: int, lane: int) -> Position | None:
    """Sends again what moved with the merges of a site and has not been sent yet; the last event, None without any."""
    await lock(conn, site)
    rows = await conn.fetch(SQL["untold"], site)
    return latest([await _tell(conn, site, row["source"], row["survivor"], lane) for row in rows])


async def _tell(conn: Connection, site: int, source: str, survivor: str, lane: int) -> Position | None:
    reason = "unmerged" if source == survivor else "merged"
    reach = Reach(site, "Patient", (source,), (source,))
    last: Position | None = None
    async for rows in compartment.all_members(conn, reach):
        columns = [row.type for row in rows], [row.pk for row in rows]
        (event,) = await conn.fetch(SQL["tell"], site, *columns, source, lane, reason)
        if event["seq"] is not None:
            last = Position(event["epoch"] or 1, event["seq"])
    await conn.execute(SQL["told"], site, source)
    return last


async def keep(pool: Pool) -> None:
    """Looks until cancelled for merges whose process ended before it had told what moved."""
    await repeated(partial(_tell_all, pool), EVERY_S)


async def _tell_all(pool: Pool) -> None:
    async with pool.acquire() as conn:
        for row in await conn.fetch(SQL["untold_sites"]):
            async with conn.transaction():
                await tell(conn, row["site"], lane=0)

"""Search rows, compared with what the stored bodies say, and put right.

Enters: requests (rows of fhir.reindex), or one resource. Leaves: the rows that the present code makes of each body;
where they stood already nothing is written. Any server process works on the requests, one at a time, in batches that
are committed with the place they reached: what is cut off goes on there. A batch locks its resources as writers do, so
that both see what the other did.

A release that makes other rows than the one before has a higher generation. The first process that finds a lower one in
the store requests everything; the store has the new generation when all of that is done.
"""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from datetime import datetime
from functools import partial
from typing import Any, NamedTuple

from ecluse.core import clock
from ecluse.core.db import queries
from ecluse.core.db.pool import Connection, Pool
from ecluse.core.db.upkeep import only_one, repeated, unhurried
from ecluse.core.fhir import json, types
from ecluse.core.log import Log
from ecluse.related.registries import Registries
from fhir_server.slices import in_slices
from fhir_server.store import erase, search_rows
from mappers.search.index import IndexRows, index_rows
from mappers.search.registry import Registry
from mappers.search.rows import GENERATION

SQL = queries.load(__package__, "reindex.sql")
LOCK = 0x5245_4958
EVERY_S = 1.0
AT_ONCE = 200
OF_RELEASE = "release-"
"""How the names of requests begin that a release made; nobody may cancel them."""
_OF_THIS = f"{OF_RELEASE}{GENERATION}-"

log = Log("reindex")


class Job(NamedTuple):
    """A request, and how far it is."""

    id: str
    site: int
    types: list[int]
    place_type: int
    place_pk: int
    total: int
    done: int
    changed: int
    requested_at: datetime
    finished_at: datetime | None
    cancelled: bool


class Present(NamedTuple):
    """The generation of the rows that stand, and how many resources were compared to reach the one of this release."""

    generation: int
    done: int
    total: int

    @property
    def behind(self) -> bool:
        """Whether searches may miss something until all are compared."""
        return self.generation < GENERATION


class Key(NamedTuple):
    """A resource that is to be compared."""

    type: int
    pk: int
    id: str


async def begin(conn: Connection, job: str, now: datetime, site: int, kinds: Sequence[int]) -> None:
    """Files a request; a server process takes it within seconds."""
    await conn.execute(SQL["begin"], job, now, site, list(kinds))


async def job(conn: Connection, site: int, name: str) -> Job | None:
    """How far a request is, None when there is none of this name."""
    row = await conn.fetchrow(SQL["job"], site, name)
    return Job(*row) if row else None


async def present(conn: Connection) -> Present:
    """Of which release the rows are."""
    (row,) = await conn.fetch(SQL["present"], _OF_THIS)
    return Present(*row)


async def compare_one(conn: Connection, registries: Registries, site: int, kind: int, own: str) -> int | None:
    """1 when the rows of a resource had to be put right, 0 when they were; None when it does not stand."""
    row = await conn.fetchrow(SQL["one"], site, kind, own)
    return None if row is None else await _compare(conn, await registries.current(conn, site), site, [Key(*row)])


async def keep(pool: Pool, registries: Registries) -> None:
    """Works on requests until cancelled."""
    await repeated(partial(_look, pool, registries), EVERY_S)


async def _look(pool: Pool, registries: Registries) -> None:
    if await pool.fetchval(SQL["due"], GENERATION):
        async with pool.acquire() as conn, only_one(conn, LOCK) as alone:
            if alone:
                await _work(conn, registries)


async def _work(conn: Connection, registries: Registries) -> None:
    """Every request there is, to its end."""
    async with unhurried(conn):
        stored = await conn.fetchval(SQL["generation"])
        if stored < GENERATION:
            await _request_all(conn)
        while await _batch(conn, registries):
            await asyncio.sleep(0)
        if stored < GENERATION:
            await conn.execute(SQL["reached"], GENERATION)
            log.info("search rows are of this release", version=GENERATION)


async def _request_all(conn: Connection) -> None:
    """Requests every type at every site; what an earlier process requested already goes on where it is."""
    count = await conn.fetchval(SQL["begin_all"], _OF_THIS, clock.now())
    if count:
        log.warning("search rows are of an earlier release: they are compared now", version=GENERATION, count=count)


async def _batch(conn: Connection, registries: Registries) -> bool:
    """Whether there was something to do."""
    async with conn.transaction():
        row = await conn.fetchrow(SQL["next"])
        if row is None:
            return False
        job = Job(*row)
        keys = [
            Key(*key)
            for key in await conn.fetch(SQL["walk"], job.site, job.types, job.place_type, job.place_pk, AT_ONCE)
        ]
        if not keys:
            await conn.execute(SQL["finish"], job.id)
            return True
        changed = await _compare(conn, await registries.current(conn, job.site), job.site, keys)
        await conn.execute(SQL["advance"], job.id, keys[-1].type, keys[-1].pk, len(keys), changed)
        return True


async def _compare(conn: Connection, registry: Registry, site: int, keys: Sequence[Key]) -> int:
    """How many of these resources had other rows than their bodies say; they are put right."""
    await conn.fetch(erase.SQL["lock"], site, [key.type for key in keys], [key.id for key in keys])
    rows = await conn.fetch(erase.SQL["standing"], site, [key.type for key in keys], [key.pk for key in keys])
    standing = [row for row in rows if row["body"] is not None]
    held = await search_rows.held(conn, [row["pk"] for row in standing])
    gone: list[tuple[int, IndexRows]] = []
    added: list[tuple[int, IndexRows]] = []
    async for row in in_slices(standing):
        wanted = index_rows(types.name_of[row["type"]], json.decode(row["body"]), registry)
        had = held[row["pk"]]
        if _in_order(wanted) != _in_order(had):
            anew = _repeats(had)
            gone.append((row["pk"], had if anew else search_rows.without(had, wanted)))
            added.append((row["pk"], wanted if anew else search_rows.without(wanted, had)))
    await search_rows.drop(conn, site, gone)
    await search_rows.add(conn, site, added)
    return len(added)


def _in_order(rows: Sequence[list[Any]]) -> list[list[Any]]:
    return [sorted(kind) for kind in rows]


def _repeats(rows: IndexRows) -> bool:
    """Whether a row stands twice, as after a change by hand: dropping takes both."""
    return any(len(set(kind)) < len(kind) for kind in rows)

"""Search rows, compared with what the stored bodies say, and put right.

Enters: requests (rows of fhir.reindex), or one resource. Leaves: the rows that the present code makes of each body;
where they stood already nothing is written. Any server process works on the requests, one at a time, in batches that
are committed with the place they reached: what is cut off goes on there.

A batch locks its resources as writers do, so that both see what the other did. The rows of a resource are found by its
key, for which writers keep no index: one is made while there are requests, beside the writers, and dropped after them.
"""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from datetime import UTC, datetime
from typing import Any, NamedTuple

from ecluse.core.db import queries
from ecluse.core.db.pool import translated
from ecluse.core.errors import Unavailable
from ecluse.core.fhir import json, types
from fhir_server.slices import in_slices
from fhir_server.store import erase
from fhir_server.store.write import each_kind
from mappers.search.index import IndexRows, index_rows

SQL = queries.load(__package__, "reindex.sql")
LOCK = 0x5245_4958
EVERY_S = 1.0
AT_ONCE = 200
INDEXES = {"token_pk": "token", "reference_pk": "reference", "string_pk": "string"}


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


class Key(NamedTuple):
    """A resource that is to be compared."""

    type: int
    pk: int
    id: str


async def begin(conn: Any, job: str, now: datetime, site: int, kinds: Sequence[int]) -> None:
    """Files a request; a server process takes it within seconds."""
    await conn.execute(SQL["begin"], job, now, site, list(kinds))


async def job(conn: Any, site: int, name: str) -> Job | None:
    """How far a request is, None when there is none of this name."""
    row = await conn.fetchrow(SQL["job"], site, name)
    return Job(*row) if row else None


async def compare_one(conn: Any, site: int, kind: int, own: str) -> int | None:
    """1 when the rows of a resource had to be put right, 0 when they were; None when it does not stand."""
    row = await conn.fetchrow(SQL["one"], site, kind, own)
    return None if row is None else await _compare(conn, site, [Key(*row)])


async def keep(pool: Any) -> None:
    """Works on requests until cancelled; a database that is away is asked again later."""
    while True:
        await asyncio.sleep(EVERY_S)
        try:
            with translated():
                if await pool.fetchval(SQL["due"]):
                    await _work(pool)
        except Unavailable:
            continue


async def _work(pool: Any) -> None:
    async with pool.acquire() as conn:
        if not await conn.fetchval(SQL["only_one"], LOCK):
            return
        try:
            await conn.execute("SET statement_timeout = 0")
            while await conn.fetchval(SQL["waiting"]):
                await _make_indexes(conn)
                while await _batch(conn):
                    await asyncio.sleep(0)
            for name in INDEXES:
                await conn.execute(f"DROP INDEX CONCURRENTLY IF EXISTS fhir.{name}")
        finally:
            await conn.execute("RESET statement_timeout")
            await conn.fetchval(SQL["release"], LOCK)


async def _make_indexes(conn: Any) -> None:
    for row in await conn.fetch(SQL["unfinished_indexes"]):
        await conn.execute(f"DROP INDEX CONCURRENTLY IF EXISTS fhir.{row['name']}")
    for name, table in INDEXES.items():
        await conn.execute(f"CREATE INDEX CONCURRENTLY IF NOT EXISTS {name} ON fhir.{table} (pk)")


async def _batch(conn: Any) -> bool:
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
        changed = await _compare(conn, job.site, keys)
        await conn.execute(SQL["advance"], job.id, keys[-1].type, keys[-1].pk, len(keys), changed)
        return True


async def _compare(conn: Any, site: int, keys: Sequence[Key]) -> int:
    """How many of these resources had other rows than their bodies say; they are put right."""
    await conn.fetch(erase.SQL["lock"], site, [key.type for key in keys], [key.id for key in keys])
    rows = await conn.fetch(erase.SQL["standing"], site, [key.type for key in keys], [key.pk for key in keys])
    standing = [row for row in rows if row["body"] is not None]
    held = await _held(conn, [row["pk"] for row in standing])
    gone: list[tuple[int, IndexRows]] = []
    added: list[tuple[int, IndexRows]] = []
    async for row in in_slices(standing):
        wanted = index_rows(types.name_of[row["type"]], json.decode(row["body"]))
        had = held[row["pk"]]
        if _in_order(wanted) != _in_order(had):
            gone.append((row["pk"], had))
            added.append((row["pk"], wanted))
    await each_kind(conn, "drop", site, gone)
    await each_kind(conn, "add", site, added)
    return len(added)


def _in_order(rows: Sequence[list[Any]]) -> list[list[Any]]:
    return [sorted(kind) for kind in rows]


async def _held(conn: Any, pks: Sequence[int]) -> dict[int, IndexRows]:
    """The rows that stand for each resource."""
    held = {pk: IndexRows([], [], [], []) for pk in pks}
    for place, kind in enumerate(IndexRows._fields):
        for pk, *row in await conn.fetch(SQL[kind], pks):
            held[pk][place].append(tuple(map(_aware, row)))
    return held


def _aware(value: Any) -> Any:
    """asyncpg's infinities have no zone."""
    return value.replace(tzinfo=UTC) if isinstance(value, datetime) and value.tzinfo is None else value

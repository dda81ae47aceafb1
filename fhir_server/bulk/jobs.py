"""Bulk jobs as rows: any server process can take one up and answer for it.

Enters: connections. Leaves: `Job`s. A process holds a job by a lease that it renews; a job whose process was killed is
taken up again when the lease has run out. The number of the attempt fences: a process that comes back late finds
another number and writes nothing.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from datetime import datetime
from typing import NamedTuple

from ecluse.core import clock
from ecluse.core.db import queries
from ecluse.core.db.pool import Connection, Pool
from ecluse.core.errors import Busy, NotFound

SQL = queries.load(__package__, "jobs.sql")
LEASE_S = 10.0
LOCK = 0x424C_4B4A
MOST_WAITING = 50


class Job(NamedTuple):
    """One export or import. state: waiting, running, done or failed; request: what was asked, as JSON; result: its
    manifest, or the OperationOutcome of its failure."""

    id: str
    site: int
    kind: str
    state: str
    request: bytes
    created: datetime
    attempt: int
    progress: str
    expires: datetime | None
    result: bytes | None


async def check_room(conn: Connection) -> None:
    """Raises: Busy (429) when so many jobs wait that another one had better come later."""
    if await conn.fetchval(SQL["waiting"]) >= MOST_WAITING:
        raise Busy(f"{MOST_WAITING} bulk jobs wait already; ask again later, or cancel one with DELETE.")


async def add(
    conn: Connection, site: int, kind: str, request: bytes, *, job: str = "", inputs: Sequence[tuple[str, str]] = ()
) -> str:
    """The id of a new job. job: an id that was given out already; inputs: (type, address) of each file to import"""
    job = job or clock.new_id()
    await conn.execute(SQL["add"], job, site, kind, request)
    if inputs:
        names, urls = ([*column] for column in zip(*inputs, strict=True))
        await conn.execute(SQL["add_inputs"], job, [*range(len(inputs))], names, urls)
    return job


async def find(conn: Connection, site: int, job: str) -> Job:
    """The job of this id.

    Raises: NotFound (404) when it was never there, was cancelled, has expired, or is another site's
    """
    row = await conn.fetchrow(SQL["find"], job, site)
    if row is None:
        raise _missing(job)
    return Job(*row)


async def drop(conn: Connection, site: int, job: str) -> None:
    """Ends and forgets a job; whoever works on it notices.

    Raises: NotFound (404)
    """
    if await conn.fetchval(SQL["drop"], job, site) is None:
        raise _missing(job)


def _missing(job: str) -> NotFound:
    return NotFound("There is no such job: it was cancelled, or has expired; start another one.", diagnostics=job[:80])


async def claim(pool: Pool, most_running: int) -> Job | None:
    """The oldest job that nobody works on, now this process's; None when there is none or enough run."""
    async with pool.acquire() as conn:
        if not await conn.fetchval(SQL["open"]):
            return None
        async with conn.transaction():
            await conn.execute(SQL["one_at_a_time"], LOCK)
            row = await conn.fetchrow(SQL["claim"], LEASE_S, most_running)
            return Job(*row) if row else None


async def beat(pool: Pool, job: Job, progress: str) -> bool:
    """Whether the job is still this process's; its lease begins anew."""
    return await pool.fetchval(SQL["beat"], job.id, job.attempt, LEASE_S, progress) is not None


async def end(pool: Pool, job: Job, state: str, result: bytes, keep_s: int) -> bool:
    """Keeps what came of a job; False when it is no longer this process's."""
    return await pool.fetchval(SQL["end"], job.id, job.attempt, state, result, keep_s) is not None


async def release(pool: Pool, job: Job, after_s: float) -> None:
    """Leaves a job to whichever process looks next, after so many seconds."""
    await pool.execute(SQL["release"], job.id, job.attempt, after_s)


async def expired(pool: Pool) -> list[str]:
    """The jobs that are forgotten now."""
    return [row["job"] for row in await pool.fetch(SQL["expired"])]


async def unknown(pool: Pool, ids: Iterable[str]) -> set[str]:
    """Those of the ids that no job has."""
    wanted = list(ids)
    return set(wanted) - {row["job"] for row in await pool.fetch(SQL["known"], wanted)}

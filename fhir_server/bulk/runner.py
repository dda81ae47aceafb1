"""Takes jobs up, works on them beside the requests, and clears away what is over.

Enters: the server of this process. Leaves: results in the rows of the jobs. One beat and one work a job: the beat keeps
the lease and ends when the job was cancelled or another process has it; then the work ends too.
"""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any

import msgspec

from ecluse.core import clock, tracing
from ecluse.core.db.pool import Pool, translated
from ecluse.core.errors import EcluseError, Fenced, Issue, Unavailable
from ecluse.core.fhir import json
from ecluse.core.fhir.outcome import operation_outcome
from ecluse.core.log import Log
from fhir_server.bulk import export, folder, ingest, jobs
from fhir_server.bulk.jobs import Job
from fhir_server.bulk.manifest import Manifest
from fhir_server.bulk.progress import Progress
from fhir_server.http.failures import outcome_body
from fhir_server.server import Server

LOOK_S = 0.5
BEAT_S = 1.0
CLEAR_S = 5.0
AGAIN_S = 5.0
MOST_ATTEMPTS = 10
log = Log("bulk")

Work = Callable[[Server, Job, Path, Progress], Awaitable[Manifest]]
WORKS: dict[str, Work] = {"export": export.run, "import": ingest.run}


async def keep(server: Server) -> None:
    """Looks for work until cancelled; what is under way then is left to the next process."""
    running: set[asyncio.Task[None]] = set()
    cleared = 0.0
    try:
        while True:
            try:
                with translated():
                    while job := await jobs.claim(server.databases.store, server.settings.bulk_jobs):
                        running.add(task := asyncio.create_task(work(server, job)))
                        task.add_done_callback(running.discard)
                    if clock.monotonic() - cleared > CLEAR_S:
                        await clear(server)
                        cleared = clock.monotonic()
            except Exception as error:
                log.warning("bulk jobs not looked at", error=type(error).__name__)
            with contextlib.suppress(TimeoutError):
                await asyncio.wait_for(server.kicked_off.wait(), LOOK_S)
            server.kicked_off.clear()
    finally:
        for task in running:
            task.cancel()
        await asyncio.gather(*running, return_exceptions=True)


async def work(server: Server, job: Job) -> None:
    """One job, to its end or until it is no longer this process's."""
    pool, progress = server.databases.store, Progress()
    doing = asyncio.create_task(_result(server, job, progress))
    beating = asyncio.create_task(_beat(pool, job, progress))
    try:
        await asyncio.wait({doing, beating}, return_when=asyncio.FIRST_COMPLETED)
        kept = False
        if doing.done():
            state, result = doing.result()
            with translated():
                kept = await jobs.end(pool, job, state, result, server.settings.bulk_keep_s)
        if not kept:
            await _ended(doing)
            await _gone(server, job)
    except asyncio.CancelledError:
        await _ended(doing)
        await jobs.release(pool, job, 0.0)
        raise
    except Unavailable as error:
        log.warning("bulk job put off", error=str(error), request_id=job.id, attempt=job.attempt)
        await _later(pool, job)
    except Fenced:
        log.warning("bulk job taken over", request_id=job.id, attempt=job.attempt)
    finally:
        await _ended(doing, beating)


async def _ended(*tasks: asyncio.Task[Any]) -> None:
    """Returns when the tasks do nothing any more."""
    for task in tasks:
        task.cancel()
    await asyncio.gather(*tasks, return_exceptions=True)


async def _result(server: Server, job: Job, progress: Progress) -> tuple[str, bytes]:
    """(done, the manifest) or (failed, an OperationOutcome).

    Raises: Unavailable, when trying again may help; Fenced
    """
    if job.attempt > MOST_ATTEMPTS:
        issue = Issue(f"This job was interrupted {MOST_ATTEMPTS} times; start another one.", code="incomplete")
        return "failed", json.encode(operation_outcome([issue]))
    try:
        place = folder.made(folder.of_job(server.settings, job.id) / str(job.attempt))
        with tracing.work(f"{job.kind} job"):
            return "done", msgspec.json.encode(await WORKS[job.kind](server, job, place, progress))
    except (Unavailable, Fenced):
        raise
    except EcluseError as error:
        return "failed", outcome_body(error)
    except Exception as error:
        log.error("bulk job failed", error=type(error).__name__, request_id=job.id, attempt=job.attempt)
        issue = Issue(f"The server failed. Its log has the reason under {job.id}.", code="exception", severity="fatal")
        return "failed", json.encode(operation_outcome([issue]))


async def _beat(pool: Pool, job: Job, progress: Progress) -> None:
    """Renews the lease; returns when there is none to renew. A database that is away for a moment is no reason."""
    while True:
        await asyncio.sleep(BEAT_S)
        with contextlib.suppress(EcluseError):
            with translated():
                if not await jobs.beat(pool, job, progress.text):
                    return


async def _gone(server: Server, job: Job) -> None:
    """Takes the files of a job away that was cancelled under our hands."""
    if await jobs.unknown(server.databases.store, [job.id]):
        await asyncio.to_thread(folder.remove, server.settings, job.id)


async def _later(pool: Pool, job: Job) -> None:
    with contextlib.suppress(EcluseError):
        with translated():
            await jobs.release(pool, job, AGAIN_S)


async def clear(server: Server) -> None:
    """Forgets what has expired, and the folders that no job has."""
    store = server.databases.store
    gone = set(await jobs.expired(store))
    gone |= await jobs.unknown(store, await asyncio.to_thread(lambda: list(folder.old(server.settings))))
    for job in gone:
        await asyncio.to_thread(folder.remove, server.settings, job)

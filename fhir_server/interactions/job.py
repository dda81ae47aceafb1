"""The status of a bulk job, its files, and its end.

Spec: http://hl7.org/fhir/uv/bulkdata/STU2/export.html#bulk-data-status-request
"""

from __future__ import annotations

import asyncio
from email.utils import format_datetime

import msgspec

from ecluse.core import clock
from ecluse.core.errors import NotFound
from ecluse.core.fhir import json
from fhir_server.bulk import folder, jobs
from fhir_server.bulk.jobs import Job
from fhir_server.bulk.manifest import Manifest, told
from fhir_server.http.request import Answer, Request
from fhir_server.server import Server

NDJSON = "application/fhir+ndjson"
SOONEST_S, LATEST_S = 1, 30


async def status(server: Server, request: Request) -> Answer:
    """202 while it waits or runs, 200 with the manifest, 500 with the reason when it failed.

    Raises: NotFound (404)
    """
    job = await _job(server, request)
    match job.state:
        case "done":
            manifest = msgspec.json.decode(job.result or b"", type=Manifest)
            body = json.encode(told(manifest, f"{request.base}/$job/{job.id}"))
            return Answer(200, body, headers=_expires(job), media="application/json", event=manifest.event)
        case "failed":
            return Answer(500, job.result or b"", headers=_expires(job))
    progress = job.progress or ("waits for its turn" if job.state == "waiting" else "begins")
    return Answer(202, headers=(("X-Progress", progress), ("Retry-After", str(_pause_s(job)))))


async def cancel(server: Server, request: Request) -> Answer:
    """202: the job ends, and nothing of it is kept. What an import has written stays written.

    Raises: NotFound (404)
    """
    job = request.segments[1]
    async with server.connection() as conn:
        await jobs.drop(conn, request.site.number, job)
    await asyncio.to_thread(folder.remove, server.settings, job)
    return Answer.information(202, "The job is ended and its files are gone.")


async def file(server: Server, request: Request) -> Answer:
    """200 with a file of a job that is done.

    Raises: NotFound (404)
    """
    job = await _job(server, request)
    if job.state != "done":
        raise NotFound("This job has no files yet; ask for its status.")
    path = folder.existing(server.settings, job.id, job.attempt, request.segments[2])
    return Answer(200, media=NDJSON, file=str(path))


async def _job(server: Server, request: Request) -> Job:
    async with server.connection() as conn:
        return await jobs.find(conn, request.site.number, request.segments[1])


def _expires(job: Job) -> tuple[tuple[str, str], ...]:
    return (("Expires", format_datetime(job.expires, usegmt=True)),) if job.expires else ()


def _pause_s(job: Job) -> int:
    """A tenth of the time it has taken so far, within bounds."""
    age_s = (clock.now() - job.created).total_seconds()
    return max(SOONEST_S, min(int(age_s / 10), LATEST_S))

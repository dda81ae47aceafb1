"""Runs an import: NDJSON, line by line, through the one door of all writes.

Enters: a job and a folder. Leaves: resources, versions, events, and what the manifest tells.

    1 spool    each file to disk, whole, before anything of it is read
    2 accept   some lines, each as a body of its own; what is wrong with one is told, and it alone is left out
    3 write    what was accepted, what was refused and how far the file is read: one transaction
    4 report   the refusals of each file as NDJSON of OperationOutcomes

Whoever takes the job up later goes on behind the last transaction: no line is written twice, none is left out.
"""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import NamedTuple

import msgspec

from ecluse.bus import epoch
from ecluse.bus.outbox import Outbox
from ecluse.bus.position import Position
from ecluse.core import clock
from ecluse.core.db import queries
from ecluse.core.db.pool import Pool
from ecluse.core.errors import EcluseError, Fenced, NotFound, Unavailable
from ecluse.core.hosts import allowed_hosts
from ecluse.core.log import Log
from fhir_server.bulk import folder, lines, spool
from fhir_server.bulk.folder import Files
from fhir_server.bulk.jobs import Job
from fhir_server.bulk.lines import Line
from fhir_server.bulk.manifest import File, Manifest
from fhir_server.bulk.progress import Progress
from fhir_server.bulk.refusal import Place, refusal
from fhir_server.bulk.resource_line import Import, accepted_line
from fhir_server.profiles.loading import MISSING, provide
from fhir_server.profiles.validation import Validation
from fhir_server.server import Server
from fhir_server.slices import in_slices
from fhir_server.store.write import Context, Intent, write

SQL = queries.load(__package__, "imports.sql")
BULK_LANE = 1
PATIENCE = 5
BODY = "body"
"""Stands for the address of a file that came in the body of the request."""
log = Log("bulk")


class Input(NamedTuple):
    """A file, and how far it is read."""

    position: int
    type: str
    url: str
    read_bytes: int
    lines: int
    written: int
    refused: int
    ended: bool


@dataclass(slots=True)
class Run:
    """One run of a job; `at` is the place of the file that is being read, `validation` that of the lines in hand."""

    server: Server
    job: Job
    wanted: Import
    progress: Progress
    at: Input
    context: Context
    validation: Validation | None = None


class NotStored(EcluseError):
    """The resource cannot be stored."""


async def run(server: Server, job: Job, place: Path, progress: Progress) -> Manifest:
    """The manifest, when every line of every file was taken or refused.

    Raises: Unavailable when the store is away, Fenced when another process has gone on with the job
    """
    wanted = msgspec.json.decode(job.request, type=Import)
    inputs = await _inputs(server, job)
    progress.steps = len(inputs)
    for at in inputs:
        progress.count += at.written
        progress.refused += at.refused
    for at in inputs:
        if not at.ended:
            await _file(Run(server, job, wanted, progress, at, _context(server, job, wanted)))
        progress.steps_done += 1
    await asyncio.to_thread(folder.remove_inputs, server.settings, job.id)
    return await _manifest(server, job, wanted, place)


async def _inputs(server: Server, job: Job) -> list[Input]:
    async with server.connection() as conn:
        return [Input(*row) for row in await conn.fetch(SQL["inputs"], job.id)]


def _context(server: Server, job: Job, wanted: Import) -> Context:
    return Context(
        site=job.site,
        site_name=wanted.site,
        sender=wanted.sender,
        request_id=wanted.request_id,
        source_format="fhir+ndjson",
        received_at=job.created,
        lane=BULK_LANE,
        registries=server.registries,
        hooks=allowed_hosts(server.settings.hook_hosts),
    )


def spooled(server: Server, job: str, position: int) -> Path:
    """Where a file of an import is kept while the job lasts."""
    return folder.made(folder.of_job(server.settings, job) / folder.INPUT) / f"{position}.ndjson"


async def _file(run: Run) -> None:
    """Reads one file to its end; one that cannot be had is refused as a whole."""
    path = spooled(run.server, run.job.id, run.at.position)
    try:
        await _fetched(run, path)
    except EcluseError as error:
        told = Judged(Line(0, run.at.read_bytes, None), refusal=refusal(error, Place(run.at.url, 0)))
        await _store(run, [told], run.at._replace(ended=True))
        return
    longest = run.server.settings.max_body_bytes
    while found := await asyncio.to_thread(lines.batch, path, run.at.read_bytes, run.at.lines, longest):
        await _batch(run, found)
    await _store(run, [], run.at._replace(ended=True))


async def _fetched(run: Run, path: Path) -> None:
    from fhir_server.bulk.fetch import fetch  # a client of HTTP: 8 MB that no server needs before its first import

    settings = run.server.settings
    for attempt in range(PATIENCE):
        if path.exists():
            return
        if run.at.url == BODY:
            raise NotFound("The file that was sent is not in this server's bulk folder any more; send it again.")
        try:
            await spool.spool(fetch(settings, run.at.url), path, settings.bulk_max_bytes)
        except Unavailable:
            if attempt == PATIENCE - 1:
                raise
            await asyncio.sleep(2**attempt)


class Judged(NamedTuple):
    """A line with what it asks for, or why it is refused."""

    line: Line
    wish: Intent | None = None
    refusal: bytes | None = None


async def _batch(run: Run, found: Sequence[Line]) -> None:
    """Writes some lines; a resource that stands in several of them is written as often, in their order."""
    run.validation = await run.server.validation(run.wanted.site, run.wanted.validation)
    together: list[Judged] = []
    keys: set[tuple[str, str]] = set()
    async for line in in_slices(found):
        judged = await _judged(run, line)
        if judged.wish and (judged.wish.type, judged.wish.id) in keys:
            await _write(run, together)
            together, keys = [], set()
        if judged.wish:
            keys.add((judged.wish.type, judged.wish.id))
        together.append(judged)
    await _write(run, together)


async def _judged(run: Run, line: Line) -> Judged:
    """The line with what it asks for; what its validation lacks is fetched or asked."""
    while True:
        try:
            return Judged(line, accepted_line(run.wanted, run.validation, run.at.type, line.text))
        except EcluseError as error:
            return Judged(line, refusal=refusal(error, Place(run.at.url, line.number)))
        except MISSING as missing:
            assert run.validation is not None
            await provide(run.server, run.job.site, run.validation, missing, line.text or b"")


async def _write(run: Run, together: Sequence[Judged]) -> None:
    """Writes what was judged, in one transaction; when the store takes something of it never, each line has a
    transaction of its own, so that it alone is refused."""
    try:
        await _patiently(run, together)
    except (Unavailable, Fenced):
        raise
    except Exception as error:
        if len(together) > 1:
            for one in together:
                await _write(run, [one])
            return
        log.warning("line refused", error=type(error).__name__, request_id=run.wanted.request_id)
        (only,) = together
        told = error if isinstance(error, EcluseError) else NotStored()
        await _patiently(run, [Judged(only.line, refusal=refusal(told, Place(run.at.url, only.line.number)))])


async def _patiently(run: Run, together: Sequence[Judged]) -> None:
    """Writes it, again when a deadlock was broken or the store was away for a moment."""
    last = together[-1].line
    for attempt in range(PATIENCE):
        try:
            return await _store(run, together, run.at._replace(read_bytes=last.end, lines=last.number))
        except Unavailable:
            if attempt == PATIENCE - 1:
                raise
            await asyncio.sleep(0.1 * 2**attempt)


async def _store(run: Run, together: Sequence[Judged], after: Input) -> None:
    """Writes it, and moves the file on to `after`, in one transaction.

    Raises: Fenced when another process has moved it
    """
    intents = [one.wish for one in together if one.wish]
    refused = [(one.line.number, one.refusal) for one in together if one.refusal]
    after = after._replace(written=run.at.written + len(intents), refused=run.at.refused + len(refused))
    findings = run.validation.findings if run.validation else None
    async with run.server.transaction() as conn:
        if intents:
            await write(conn, run.server.keys, intents, run.context._replace(findings=findings))
        if refused:
            numbers, outcomes = ([*column] for column in zip(*refused, strict=True))
            await conn.execute(SQL["refuse"], run.job.id, after.position, numbers, outcomes)
        moved = (after.read_bytes, after.lines, after.written, after.refused, after.ended)
        place = (run.job.id, after.position, run.job.attempt, run.at.read_bytes)
        if await conn.fetchval(SQL["advance"], *place, *moved) is None:
            raise Fenced("This import was ended, or another process has taken it over.")
    run.at = after
    run.progress.count += len(intents)
    run.progress.refused += len(refused)


async def _manifest(server: Server, job: Job, wanted: Import, place: Path) -> Manifest:
    manifest = Manifest(transaction_time=clock.now(), request=wanted.url)
    for at in await _inputs(server, job):
        manifest.output.append(File(at.type or "Resource", "", at.written, at.url))
        manifest.error += await _refusals(server, job, at, place)
    if any(file.count for file in manifest.output):
        manifest.event = await _present(server.databases.store)
    return manifest


async def _present(store: Pool) -> Position:
    """The last event that readers get now; waits for transactions that have begun to write."""
    seq = await Outbox(store).settle()
    return (await epoch.lives(store)).position(seq or 0)


async def _refusals(server: Server, job: Job, at: Input, place: Path) -> list[File]:
    """The file of what was refused; none when everything was taken."""
    files = Files(place, f"refused{at.position}", Progress())
    async with server.connection() as conn:
        await files.copy(conn, SQL["refusals"], job.id, at.position)
    return [File("OperationOutcome", each.name, each.count, at.url) for each in await files.close()]

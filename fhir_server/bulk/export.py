"""Runs an export: bodies flow from the database into files as they are stored, and are not held.

Enters: a job and a folder. Leaves: files, and what the manifest tells of them.

    1 time      the start of the oldest transaction that may still write
    2 snapshot  taken after that, one for all types: what it does not show is younger than the time of step 1
    3 COPY      each type into its files, two types side by side; the format is CSV with signs that no JSON holds, so
                that a line is a body

Spec: http://hl7.org/fhir/uv/bulkdata/STU2/export.html
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, replace
from datetime import datetime
from functools import partial
from pathlib import Path
from typing import Any

import asyncpg
import msgspec

from ecluse.core import clock
from ecluse.core.db import queries
from ecluse.core.db.databases import url_of
from ecluse.core.db.pool import APPLICATION, Connection, translated
from ecluse.core.errors import Issue
from ecluse.core.fhir import json, types
from ecluse.core.fhir.dates import EARLIEST, LATEST
from ecluse.core.fhir.definitions.search_parameters import compartment, parameters
from ecluse.core.fhir.outcome import operation_outcome
from ecluse.core.settings import Settings
from fhir_server.bulk import members
from fhir_server.bulk.folder import Files
from fhir_server.bulk.holding import holds
from fhir_server.bulk.jobs import Job
from fhir_server.bulk.manifest import File, Manifest
from fhir_server.bulk.progress import Progress
from fhir_server.bulk.subset import subset
from fhir_server.bulk.wanted import Wanted, in_compartment
from fhir_server.search.compile import Compiled, narrowed
from fhir_server.search.terms import resolved
from fhir_server.server import Server
from fhir_server.store.settled import settled
from mappers.search.registry import Registry

SQL = queries.load(__package__, "export.sql")
SESSION = {
    "timezone": "UTC",
    "jit": "off",
    "max_parallel_workers_per_gather": "0",  # one stream is written by one backend; more only wait for it
    "enable_hashjoin": "off",  # the rows of one type by their keys: a hash join reads all versions for each type
    "enable_mergejoin": "off",
    "application_name": f"{APPLICATION} export",
}
READING: dict[str, Any] = {"isolation": "repeatable_read", "readonly": True}
PATIENT, PROVENANCE, GROUP = "Patient", "Provenance", "Group"


_Made = tuple[list[File], list[File]]
"""Files of resources, and of deletions."""


@dataclass(frozen=True, slots=True)
class Export:
    """One run. patients: whose data is wanted, None for everybody's; registry: the search parameters of the site"""

    conn: Connection
    site: int
    registry: Registry
    wanted: Wanted
    patients: list[str] | None
    folder: Path
    progress: Progress

    @property
    def of_patients(self) -> bool:
        """Whether only what belongs to patients is wanted."""
        return self.wanted.level != "system"


async def run(server: Server, job: Job, folder: Path, progress: Progress) -> Manifest:
    """The manifest of the job, when all its files are on disk.

    Raises: NotFound, Gone, BadRequest when the group or its patients are not there any more; Unavailable
    """
    wanted = msgspec.json.decode(job.request, type=Wanted)
    async with server.connection() as asking:
        registry = await server.registries.current(asking, job.site)
    async with _snapshot(server.settings) as (conn, moment):
        patients = await members.patients(conn, job.site, wanted, clock.now())
        export = Export(conn, job.site, registry, wanted, patients, folder, progress)
        manifest = Manifest(transaction_time=moment, request=wanted.url)
        names = await _types(export)
        made = await _side_by_side(export, server.settings, names)
        for name in names:
            manifest.output += made[name][0]
            manifest.deleted += made[name][1]
        manifest.error += await _remarks(export)
    return manifest


async def _side_by_side(export: Export, settings: Settings, names: Sequence[str]) -> dict[str, _Made]:
    """The files of each type. A second stream reads the same snapshot: one alone leaves its files' writer waiting for
    the database, and the database for the writer."""
    made: dict[str, _Made] = {}
    waiting = iter(names)
    snapshot = await export.conn.fetchval(SQL["snapshot"])

    async def take(own: Export) -> None:
        for name in waiting:
            deleted = await _deleted(own, name) if own.wanted.since is not None else []
            made[name] = await _resources(own, name), deleted
            own.progress.steps_done += 1

    async def second() -> None:
        async with _same_snapshot(settings, snapshot) as conn:
            await take(replace(export, conn=conn))

    try:
        async with asyncio.TaskGroup() as group:
            if len(names) > 1:
                group.create_task(second())
            group.create_task(take(export))
    except ExceptionGroup as several:
        raise several.exceptions[0] from None
    return made


@asynccontextmanager
async def _snapshot(settings: Settings) -> AsyncIterator[tuple[Any, datetime]]:
    """A connection of its own whose statements all see the same, and up to when that is complete."""
    with translated():
        async with _connection(settings) as conn:
            moment = await settled(conn)
            async with conn.transaction(**READING):
                yield conn, moment


@asynccontextmanager
async def _same_snapshot(settings: Settings, snapshot: str) -> AsyncIterator[Connection]:
    """Another connection that sees what the one of this snapshot sees, while that is in its transaction."""
    async with _connection(settings) as conn, conn.transaction(**READING):
        await conn.execute(f"SET TRANSACTION SNAPSHOT '{snapshot}'")
        yield conn


@asynccontextmanager
async def _connection(settings: Settings) -> AsyncIterator[Connection]:
    """A connection of the export's own; a COPY that was given up ends with it."""
    conn = await asyncpg.connect(await url_of(settings, "store"), server_settings=SESSION)
    try:
        yield conn
    finally:
        conn.terminate()


async def _types(export: Export) -> list[str]:
    """The types there is anything of."""
    asked = [name for name in export.wanted.types or types.number_of if not export.of_patients or in_compartment(name)]
    numbers = [types.number_of[name] for name in asked]
    found = {row["type"] for row in await export.conn.fetch(SQL["types"], export.site, numbers)}
    names = [name for name in asked if types.number_of[name] in found]
    export.progress.steps = len(names)
    return names


async def _resources(export: Export, name: str) -> list[File]:
    statement = _statement(export, name)
    if statement is None:
        return []
    change = subset(name, export.wanted.elements) if export.wanted.elements else None
    asked = export.wanted.queries(name, export.registry)
    queries = [await resolved(export.conn, export.site, query) for query in asked]
    queried = narrowed(export.site, statement, queries)
    return await _copy(export, queried, Files(export.folder, name, export.progress, change), name)


def _statement(export: Export, name: str) -> Compiled | None:
    """What selects the bodies of a type; None when this export has none of them."""
    wanted = export.wanted
    binary = f"{wanted.base}/Binary/" if holds(name, "Attachment") else ""
    window = (export.site, types.number_of[name], wanted.since or EARLIEST, wanted.until or LATEST, binary)
    select = partial(_selected, window)
    if not export.of_patients:
        return SQL["bodies"], [*window]
    if export.patients is None:
        return select("provenance_of_any_patient", _targets()) if name == PROVENANCE else select("of_any_patient")
    match name:
        case "Patient":
            return select("by_id", export.patients)
        case "Group":
            return select("by_id", [wanted.group]) if wanted.group else None
        case "Provenance":
            return select("provenance_of_patients", _targets(), export.patients)
    return select("of_patients", _paths(name), export.patients, types.number_of[PATIENT])


def _selected(window: tuple[Any, ...], condition: str, *more: Any) -> Compiled:
    return f"{SQL['bodies']}\n  {SQL[condition]}", [*window, *more]


def _paths(name: str) -> list[int]:
    """The element paths that put a resource of this type into a patient's compartment."""
    known = parameters(name)
    return sorted({path for code in compartment(PATIENT)[name] for path in known[code].paths})


def _targets() -> list[int]:
    return list(parameters(PROVENANCE)["target"].paths)


async def _deleted(export: Export, name: str) -> list[File]:
    """What was deleted since; of the element values that a filter asks for nothing is left, so all of the type is
    told."""
    wanted = export.wanted
    arguments = (export.site, types.number_of[name], wanted.since, wanted.until or LATEST)
    patients = (export.of_patients, export.patients)
    statement = SQL["deleted"], [*arguments, name, *patients]
    return await _copy(export, statement, Files(export.folder, f"deleted{name}", export.progress), "Bundle")


async def _copy(export: Export, statement: Compiled, files: Files, name: str) -> list[File]:
    sql, arguments = statement
    await files.copy(export.conn, sql, *arguments)
    return [File(name, written.name, written.count) for written in await files.close()]


async def _remarks(export: Export) -> Sequence[File]:
    """What was left out for a lenient client."""
    files = Files(export.folder, "remarks", Progress())
    for text in export.wanted.remarks:
        issue = Issue(text, code="not-supported", severity="warning")
        await files.write(json.encode(operation_outcome([issue])) + b"\n")
    return [File("OperationOutcome", written.name, written.count) for written in await files.close()]

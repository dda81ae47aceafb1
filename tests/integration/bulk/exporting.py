"""A server in this process, and exports that run to their end at once."""

from __future__ import annotations

import json
from collections.abc import Iterable
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import msgspec

from ecluse.core import clock
from ecluse.core.db.databases import Databases
from ecluse.core.settings import Settings
from fhir_server.bulk import export, folder, jobs
from fhir_server.bulk.manifest import File, Manifest
from fhir_server.bulk.progress import Progress
from fhir_server.bulk.wanted import Wanted
from fhir_server.server import Server
from fhir_server.store.write import Context, Intent, intent, write

SITE = 1


class Store:
    """The store as writers and exporters use it."""

    def __init__(self, settings: Settings, databases: Databases) -> None:
        self.server = Server(settings, databases, lambda: None)

    async def put(self, conn: Any, ids: Iterable[str], text: str) -> list[tuple[str, int]]:
        """Writes a next version of each; returns (id, version)."""
        body = {"resourceType": "Basic", "code": {"text": text}}
        return await self.write(conn, [intent({**body, "id": each}, each) for each in sorted(ids)])

    async def delete(self, conn: Any, ids: Iterable[str]) -> list[tuple[str, int]]:
        """Deletes each."""
        return await self.write(conn, [Intent("Basic", each, None) for each in sorted(ids)])

    async def write(self, conn: Any, intents: list[Intent]) -> list[tuple[str, int]]:
        """What was written, as (id, version); the request had come a while before its transaction began."""
        context = Context(SITE, "default", "", "r", "fhir+json", clock.now() - timedelta(seconds=2))
        return [(each.id, each.version) for each in await write(conn, self.server.keys, intents, context)]

    async def export(self, since: datetime | None = None) -> Exported:
        """An export of Basic, run here."""
        wanted = Wanted("http://x/fhir/$export", "http://x/fhir", "system", types=["Basic"], since=since)
        async with self.server.connection() as conn:
            await jobs.add(conn, SITE, "export", msgspec.json.encode(wanted))
        pool = self.server.databases.store
        job = await jobs.claim(pool, 100)
        assert job is not None
        place = folder.made(folder.of_job(self.server.settings, job.id) / str(job.attempt))
        manifest = await export.run(self.server, job, place, Progress())
        assert await jobs.end(pool, job, "done", b"{}", 60)
        return Exported(manifest, place)


class Exported:
    """What an export has: version by id, and the ids that it tells as deleted."""

    def __init__(self, manifest: Manifest, place: Path) -> None:
        self.time = manifest.transaction_time
        bodies = [json.loads(line) for line in _lines(place, manifest.output)]
        self.versions = {body["id"]: int(body["meta"]["versionId"]) for body in bodies}
        assert len(self.versions) == len(bodies)
        bundles = [json.loads(line) for line in _lines(place, manifest.deleted)]
        self.deleted = {entry["request"]["url"].split("/")[1] for bundle in bundles for entry in bundle["entry"]}


def _lines(place: Path, listed: list[File]) -> list[bytes]:
    return [line for file in listed for line in (place / file.name).read_bytes().splitlines()]

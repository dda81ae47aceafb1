"""The sink of a research project: pseudonymises, seals, appends to the feed.

Enters: changes of the runner. Leaves: records of the project's feed. Content is sealed in `map`, in the memory of this
process, before any of it reaches a disk or a topic; the database gets ciphertext under a keyed hash.

The content of a record is {"op", "type", "id", "version", "resource"}: `recorded` with a resource, `deleted` or
`withdrawn` with null.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import date
from functools import lru_cache
from typing import Any, NamedTuple

import asyncpg

from consumers.hub import feed, keys
from consumers.hub.feed import Entry, Op, Subject, Told
from consumers.hub.project import Project, readable
from consumers.hub.publish import Publisher
from consumers.hub.seal import Place, Sealer
from consumers.sink import MAPPED, REMOVED, Change, Disposition, Excluded
from ecluse.bus.event import Event
from ecluse.core.db.databases import Databases
from ecluse.core.fhir import json
from ecluse.core.settings import Settings
from mappers.hub import scope
from mappers.hub.context import Context, Keys
from mappers.hub.pseudonymise import LeftOut, pseudonymise


class Sealed(NamedTuple):
    """What `map` made of a resource: its record, and a keyed digest of the content."""

    key: str
    digest: str
    record: str


def hub_sinks(settings: Settings, databases: Databases) -> tuple[list[HubSink], list[str]]:
    """One sink a project whose file can be taken, and what is wrong with the others."""
    found, wrong = readable(settings.hub_projects)
    return [HubSink(settings, databases, project) for project in found], wrong


class HubSink:
    """The feed of one project."""

    purpose = "research"
    every_version = False
    several = True

    def __init__(self, settings: Settings, databases: Databases, project: Project) -> None:
        self.name = f"hub-{project.name}"
        self.types = project.types
        self.pool: asyncpg.Pool = databases.hub
        self._project = project
        self._settings = settings
        self._publisher = Publisher(settings, databases, project.name) if settings.bus == "kafka" else None
        self._keys = Keys(b"", b"", b"", b"", b"")
        self._sealer = Sealer(project.recipient)
        self._context = lru_cache(1024)(self._about)

    async def open(self, *, leads: bool = True) -> None:
        """Reads the master key and goes on with the feed, which the process that leads publishes.

        Raises: MasterKeyRefused, ProjectError
        """
        master = keys.master_key(self._settings)
        self._keys = keys.project_keys(master, self._project.name)
        async with self.pool.acquire() as conn:
            await feed.begin(conn, self._project, keys.check_value(master, self._project.name))
        if self._publisher and leads:
            self._publisher.start()

    async def close(self) -> None:
        """Ends the publishing."""
        if self._publisher:
            await self._publisher.stop()

    def map(self, event: Event, resource: dict[str, Any], person: int | None) -> Sealed | Excluded:
        """The sealed record of a resource, or why there is none.

        Raises: Unmappable when a date is none
        """
        why = scope.left_out(resource, event.patient, self._project.start)
        if why or person is None or event.patient is None:
            return Excluded(why or scope.NO_PATIENT)
        made = pseudonymise(resource, self._context(event.site, event.patient, person, event.time.date()))
        if isinstance(made, LeftOut):
            return Excluded(made.reason)
        return self._sealed(event, "recorded", made["id"], made)

    async def write(self, conn: Any, changes: Sequence[Change]) -> Sequence[Disposition]:
        """Appends what the recipient does not know yet."""
        keyed = [(self._key(change.event), change) for change in changes]
        told = await feed.told(conn, self._project.name, [key for key, _ in keyed])
        entries = [self._entry(change, told.get(key)) for key, change in keyed]
        await feed.append(conn, self._project.name, [entry for entry in entries if entry])
        erased = [key for key, change in keyed if change.event.op == "erased"]
        await feed.forget(conn, self._project.name, erased)
        return [REMOVED if change.remove else MAPPED for change in changes]

    async def committed(self) -> None:
        """Forgets what the batch was sealed with, and wakes the publisher."""
        self._sealer.forget()
        if self._publisher:
            self._publisher.wake()

    def _key(self, event: Event) -> str:
        return self._keys.of_record(event.site, event.type, event.id)

    def _about(self, site: str, patient: str, person: int, at: date) -> Context:
        return Context(
            keys=self._keys,
            site=site,
            patient=patient,
            person=person,
            at=at,
            shift=self._project.shift,
            birth_date=self._project.birth_date,
            systems=self._project.systems,
            bases=self._settings.bases(site),
        )

    def _entry(self, change: Change, told: Told | None) -> Entry | None:
        """The record that a change makes, None when the recipient knows already."""
        event = change.event
        if change.remove:
            return self._notice(event, told) if told and told.op == "recorded" else None
        sealed: Sealed = change.payload
        if told and told.digest == sealed.digest:
            return None
        subject = Subject(change.person or 0, event.site, event.owner or "")
        return Entry(sealed.key, *event.order, "recorded", sealed.digest, sealed.record, subject)

    def _notice(self, event: Event, told: Told) -> Entry:
        """The sealed news that a resource is gone, under the id by which the recipient knows it."""
        op: Op = "deleted" if event.gone else "withdrawn"
        if event.type == "Patient":
            pseudonym = self._keys.of_person(told.person or 0)
        else:
            pseudonym = self._keys.of_resource(event.site, event.type, event.id)
        sealed = self._sealed(event, op, pseudonym, None)
        return Entry(sealed.key, *event.order, op, sealed.digest, sealed.record)

    def _sealed(self, event: Event, op: Op, pseudonym: str, resource: dict[str, Any] | None) -> Sealed:
        content = json.encode(
            {"op": op, "type": event.type, "id": pseudonym, "version": event.version, "resource": resource}
        )
        key = self._key(event)
        # Another recipient has not been told what the former one was: the digest is of content and key.
        digest = self._keys.of_content(self._project.recipient.kid.encode() + content)
        place = Place(self._project.name, key, event.epoch, event.version)
        return Sealed(key, digest, self._sealer.seal(content, place))

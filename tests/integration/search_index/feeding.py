"""Reports told to the consumer of the text index by hand, through the real runner, ledger, gate and persons."""

from __future__ import annotations

import asyncio
import base64
from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

from consumers.gate import Gate
from consumers.offsets import Offsets
from consumers.persons import Persons
from consumers.prepare import Prepare
from consumers.runner import Runner
from consumers.search_index.sink import SearchIndexSink
from ecluse.bus import snapshot
from ecluse.bus.event import Event
from ecluse.bus.log import Batch, Partition
from ecluse.core import clock
from ecluse.core.db.databases import Databases
from ecluse.core.fhir import json
from ecluse.core.settings import Settings
from ecluse.index.protocol import Filters, Hits
from ecluse.index.tantivy import Reader

Resource = dict[str, Any]


class Told(NamedTuple):
    """One version of a resource; no resource: it was deleted."""

    type: str
    id: str
    version: int
    resource: Resource | None
    site: str = "default"
    patient: str | None = None
    epoch: int = 1
    gone: str = "deleted"


class ByHand:
    """A log that is never read: batches are handed to the runner."""

    def holds(self, batch: Batch) -> bool:
        return True

    async def commit(self, positions: Mapping[Partition, int]) -> None:
        return None

    async def rest(self, delay_s: float) -> None:
        await asyncio.sleep(0)


class Feeding:
    """The consumer, ready to be told, and a reader as the portal has one."""

    def __init__(self, settings: Settings, databases: Databases) -> None:
        self.settings = settings
        self.databases = databases
        self.reader = Reader(settings.data / "index")
        self.sink = SearchIndexSink(settings, databases)

    async def open(self) -> None:
        """Begins anew, as a process that was started."""
        self.sink = SearchIndexSink(self.settings, self.databases)
        await self.sink.open()

    async def tell(self, *batches: Sequence[Told | Resource]) -> None:
        """Gives batches to the consumer, one after the other; bare resources are first versions."""
        prepare = Prepare(self.sink, Persons(self.databases.identity), Gate(self.databases.identity), _no_reference)
        offsets = Offsets(self.databases.store, self.sink.name, 1)
        runner = Runner(self.sink, ByHand(), offsets, prepare)  # type: ignore[arg-type]
        for batch in batches:
            events = [event(each if isinstance(each, Told) else told(each)) for each in batch]
            assert await runner.take(snapshot.batch(events), asyncio.Event())

    async def books(self) -> list[tuple[Any, ...]]:
        """(type, id, state, reason) of every resource."""
        rows = await self.databases.store.fetch(
            "SELECT type, id, state, reason FROM bus.ledger WHERE consumer = 'search' ORDER BY site, type, id"
        )
        return [tuple(row) for row in rows]

    def search(self, text: str, **filters: str) -> Hits:
        """The hits of a search."""
        return self.reader.search(text, Filters(**filters), limit=100)

    def found(self, text: str, **filters: str) -> list[str]:
        """`Type/id` of what a search finds, sorted."""
        return sorted(hit.key.split("/", 1)[1] for hit in self.search(text, **filters).hits)


def told(resource: Resource, version: int = 1, site: str = "default") -> Told:
    """A version of a resource."""
    subject = (resource.get("subject") or {}).get("reference", "")
    patient = subject.removeprefix("Patient/") or None
    return Told(resource["resourceType"], resource["id"], version, resource, site, patient)


def gone(resource: Resource, version: int, site: str = "default") -> Told:
    """The deletion of a resource."""
    return told(resource, version, site)._replace(resource=None)


def event(told: Told) -> Event:
    """The event of a version."""
    body = None if told.resource is None else json.encode({**told.resource, "id": told.id})
    return Event(
        site=told.site,
        type=told.type,
        id=told.id,
        version=told.version,
        epoch=told.epoch,
        seq=0,
        op=told.gone if body is None else "created" if told.version == 1 else "updated",
        time=clock.now(),
        patient=told.patient,
        body=body,
    )


def packed(text: str, charset: str = "utf-8") -> str:
    """A text in base64."""
    return base64.b64encode(text.encode(charset)).decode()


def report(report_id: str, text: str, **given: Any) -> Resource:
    """A DocumentReference with a text of its own."""
    return _reference(report_id, {"contentType": "text/plain; charset=utf-8", "data": packed(text)}, given)


def pointing(report_id: str, *binary_ids: str, **given: Any) -> Resource:
    """A DocumentReference whose text is in Binaries."""
    return _reference(report_id, *({"url": f"Binary/{binary_id}"} for binary_id in binary_ids), given)


def _reference(report_id: str, *attachments_and_given: Any) -> Resource:
    *attachments, given = attachments_and_given
    return {
        "resourceType": "DocumentReference",
        "id": report_id,
        "status": "current",
        "type": {"coding": [{"system": "http://loinc.org", "code": "34112-3"}], "text": "Compte rendu"},
        "subject": {"reference": "Patient/p1"},
        "date": "2026-03-01T09:00:00+01:00",
        "content": [{"attachment": attachment} for attachment in attachments],
        **given,
    }


def binary(binary_id: str, text: str, content_type: str = "text/plain") -> Resource:
    """A Binary."""
    return {"resourceType": "Binary", "id": binary_id, "contentType": content_type, "data": packed(text)}


async def _no_reference(_: Any) -> bytes:
    raise AssertionError("no body travels by reference here")

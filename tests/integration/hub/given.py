"""A project with a recipient, its sink behind the real runner, and what the recipient reads."""

from __future__ import annotations

import asyncio
import json as plain
from collections.abc import Iterable, Sequence
from datetime import UTC, datetime
from typing import Any

from consumers.gate import Gate
from consumers.hub import feed, reading
from consumers.hub.feed import Row
from consumers.hub.seal import holder
from consumers.hub.sink import HubSink, hub_sinks
from consumers.offsets import Offsets
from consumers.persons import Persons
from consumers.prepare import Prepare
from consumers.runner import Runner
from ecluse.bus.embedded import EmbeddedLog
from ecluse.bus.event import Event
from ecluse.core.db.databases import Databases
from ecluse.core.fhir import json
from ecluse.core.settings import Settings
from tests.integration.consumers.given import batch, no_reference
from tests.unit.consumers.hub.given import PRIVATE, write

LOINC = "http://loinc.org"
ACT = "http://terminology.hl7.org/CodeSystem/v3-ActCode"
Resource = dict[str, Any]


def patient(patient_id: str = "p1", **elements: Any) -> Resource:
    return {"resourceType": "Patient", "id": patient_id, "gender": "female", "birthDate": "1956-03-02", **elements}


def encounter(encounter_id: str, patient_id: str = "p1", **elements: Any) -> Resource:
    about = {"subject": {"reference": f"Patient/{patient_id}"}, "period": {"start": "2024-05-06T08:00:00+02:00"}}
    coded = {"status": "finished", "class": {"system": ACT, "code": "IMP"}}
    return {"resourceType": "Encounter", "id": encounter_id, **coded, **about, **elements}


def observation(observation_id: str, patient_id: str = "p1", **elements: Any) -> Resource:
    about = {"subject": {"reference": f"Patient/{patient_id}"}, "effectiveDateTime": "2024-05-06T08:30:00+02:00"}
    coded = {"status": "final", "code": {"coding": [{"system": LOINC, "code": "2823-3"}]}}
    return {"resourceType": "Observation", "id": observation_id, **coded, **about, **elements}


def event(resource: Resource | str, version: int = 1, *, patient: str = "p1", op: str = "", epoch: int = 1) -> Event:
    """A version of a resource; `Type/id` alone deletes it, or does what op says. patient: in whose compartment it is"""
    gone = isinstance(resource, str)
    kind, resource_id = resource.split("/") if gone else (resource["resourceType"], resource["id"])
    return Event(
        site="default",
        type=kind,
        id=resource_id,
        version=version,
        epoch=epoch,
        seq=version,
        op=op or ("deleted" if gone else "created" if version == 1 else "updated"),
        time=datetime(2026, 1, 1, tzinfo=UTC),
        patient=patient,
        body=None if gone else json.encode(resource),
    )


class Feeding:
    """One project's consumer, told by hand, and its recipient."""

    def __init__(self, settings: Settings, databases: Databases, name: str = "asthme", **project: Any) -> None:
        write(settings.hub_projects, name=name, **project)
        self.settings, self.databases, self.project = settings, databases, name
        self.sink: HubSink = next(s for s in hub_sinks(settings, databases)[0] if s.name == f"hub-{name}")
        log = EmbeddedLog(databases.store, self.sink.name, sorted(self.sink.types))
        prepare = Prepare(self.sink, Persons(databases.identity), Gate(databases.identity), no_reference)
        offsets = Offsets(databases.hub, self.sink.name, 1)
        self._runner = Runner(self.sink, log, offsets, prepare)

    async def open(self) -> Feeding:
        await self.sink.open()
        return self

    async def tell(self, *events: Event) -> None:
        """Hands events over in one batch."""
        assert await self._runner.take(batch(events), asyncio.Event())

    async def rows(self, after: int = 0) -> list[Row]:
        """The feed."""
        return [row async for row in feed.records(self.databases.hub, self.project, after)]

    async def lines(self) -> list[bytes]:
        """The feed as it is exported."""
        return [reading.line(self.project, row) for row in await self.rows()]

    async def contents(self) -> list[dict[str, Any]]:
        """What the recipient reads."""
        return [record.content for record in reading.read(await self.lines(), holder(PRIVATE))]

    async def last_state(self) -> list[dict[str, Any]]:
        """What is there for the recipient after all records."""
        return list(reading.last_state(reading.read(await self.lines(), holder(PRIVATE))))

    async def books(self) -> dict[str, tuple[str, str]]:
        """What the ledger says of each resource."""
        rows = await self.databases.hub.fetch(
            "SELECT type || '/' || id AS name, state, reason FROM bus.ledger WHERE consumer = $1", self.sink.name
        )
        return {row["name"]: (row["state"], row["reason"]) for row in rows}


def ops(contents: Iterable[dict[str, Any]]) -> list[tuple[str, str, int]]:
    """op, type and version of each content."""
    return [(content["op"], content["type"], content["version"]) for content in contents]


def text_of(values: Sequence[Any]) -> str:
    """Everything, as one text to search in."""
    return plain.dumps(values, default=str, ensure_ascii=False)

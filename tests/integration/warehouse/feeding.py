"""Resources told to the warehouse's consumer by hand, through the real runner, ledger, gate and persons."""

from __future__ import annotations

import asyncio
from collections.abc import Iterable, Mapping, Sequence
from typing import Any, NamedTuple

import asyncpg

from consumers.gate import Gate
from consumers.offsets import Offsets
from consumers.persons import Persons
from consumers.prepare import Prepare
from consumers.runner import Runner
from consumers.warehouse.sink import WarehouseSink
from ecluse.bus import snapshot
from ecluse.bus.event import Event
from ecluse.bus.log import Batch, Partition
from ecluse.core import clock
from ecluse.core.db.databases import Databases
from ecluse.core.fhir import json
from ecluse.core.settings import Settings

Resource = dict[str, Any]


class Told(NamedTuple):
    """One version of a resource; no resource: it was deleted."""

    type: str
    id: str
    version: int
    resource: Resource | None
    site: str = "default"
    patient: str | None = None
    survivor: str | None = None
    merge: int = 0


class ByHand:
    """A log that is never read: batches are handed to the runner."""

    def holds(self, batch: Batch) -> bool:
        return True

    async def commit(self, positions: Mapping[Partition, int]) -> None:
        return None

    async def rest(self, delay_s: float) -> None:
        raise AssertionError("the write failed for a reason that passes by itself")


class Feeding:
    """The consumer, ready to be told."""

    def __init__(self, databases: Databases, settings: Settings | None = None) -> None:
        self.databases = databases
        self.sink = WarehouseSink(settings or Settings(), databases)
        prepare = Prepare(self.sink, Persons(databases.identity), Gate(databases.identity), _no_reference)
        offsets = Offsets(databases.warehouse, self.sink.name, 1)
        self._runner = Runner(self.sink, ByHand(), offsets, prepare)  # type: ignore[arg-type]

    @property
    def pool(self) -> asyncpg.Pool:
        """The warehouse."""
        return self.databases.warehouse

    async def tell(self, *batches: Sequence[Told | Resource]) -> None:
        """Gives batches to the consumer, one after the other; bare resources are first versions."""
        for batch in batches:
            events = [event(each if isinstance(each, Told) else told(each)) for each in batch]
            assert await self._runner.take(snapshot.batch(events), asyncio.Event())
        dead = await self.pool.fetch("SELECT type, id, reason FROM bus.ledger WHERE state = 'dead'")
        assert not dead, [tuple(row) for row in dead]

    async def books(self) -> list[tuple[Any, ...]]:
        """(type, id, state, reason) of every resource."""
        rows = await self.pool.fetch("SELECT type, id, state, reason FROM bus.ledger ORDER BY site, type, id")
        return [tuple(row) for row in rows]

    async def rows(self, table: str, *names: str) -> list[tuple[Any, ...]]:
        """Columns of all rows of an omop table, sorted."""
        found = await self.pool.fetch(f"SELECT {', '.join(names)} FROM omop.{table}")
        return sorted((tuple(row) for row in found), key=repr)


def told(resource: Resource, version: int = 1, site: str = "default") -> Told:
    """A version of a resource."""
    return Told(resource["resourceType"], resource["id"], version, resource, site, _patient(resource))


def gone(resource: Resource, version: int, site: str = "default") -> Told:
    """The deletion of a resource."""
    return Told(resource["resourceType"], resource["id"], version, None, site, _patient(resource))


def event(told: Told) -> Event:
    """The event of a version."""
    body = None
    if told.resource is not None:
        meta = {"versionId": str(told.version), "lastUpdated": "2026-03-01T08:00:00.000Z"}
        body = json.encode({**told.resource, "id": told.id, "meta": meta})
    op = "deleted" if body is None else "created" if told.version == 1 else "updated"
    return Event(
        site=told.site,
        type=told.type,
        id=told.id,
        version=told.version,
        epoch=1,
        seq=0,
        op=op,
        time=clock.now(),
        patient=told.patient,
        body=body,
        survivor=told.survivor,
        merge=told.merge,
    )


def _patient(resource: Resource) -> str | None:
    if resource["resourceType"] == "Patient":
        return str(resource["id"])
    references: Iterable[Any] = (resource.get(name) or {} for name in ("subject", "patient"))
    ids = [
        each["reference"].removeprefix("Patient/")
        for each in references
        if each.get("reference", "").startswith("Patient/")
    ]
    return ids[0] if ids else None


async def _no_reference(_: Any) -> bytes:
    raise AssertionError("no body travels by reference here")

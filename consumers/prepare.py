"""From records to what the sink is asked to do: steps 2 and 3 of the loop.

Enters: records of a batch. Leaves: one piece of work a resource, its newest version: mapped, to remove, or a failure.
"""

from __future__ import annotations

import asyncio
import traceback
from collections.abc import Awaitable, Callable, Iterable, Mapping, Sequence
from pathlib import PurePath
from typing import NamedTuple

import msgspec

from consumers.gate import Decisions, Gate
from consumers.ledger import Entry
from consumers.persons import Identity, Merge, PatientKey, Persons
from consumers.sink import Change, Excluded, Sink
from ecluse.bus.backoff import transient
from ecluse.bus.epoch import Lives
from ecluse.bus.event import UNDONE, Event
from ecluse.bus.log import Record, Reference
from ecluse.core import clock
from ecluse.core.errors import Unmappable
from ecluse.core.fhir import json

SLICE_S = 0.02
NEVER_RESTORED = Lives()

Follow = Callable[[Reference], Awaitable[bytes]]
"""Fetches a body that was too large for the log."""


class Work(NamedTuple):
    """One record, mapped: what the ledger gets and what the sink gets; failure: why decode or map did not work."""

    record: Record
    entry: Entry
    change: Change
    failure: str = ""


class Prepare:
    """Decoding and mapping for one sink."""

    def __init__(self, sink: Sink, persons: Persons, gate: Gate, follow: Follow, lives: Lives = NEVER_RESTORED) -> None:
        """lives: the epochs of the store, which tell what a restore took back."""
        self._sink = sink
        self._persons = persons
        self._gate = gate
        self._follow = follow
        self._lives = lives

    async def all(self, records: Sequence[Record]) -> list[Work]:
        """The newest version of each resource among these records, mapped.

        Raises: what passes by itself; what does not is in the work
        """
        newest = self._newest(records)
        told = [r.event for r in newest.values() if r.event.patient and not r.problem]
        patients = {(event.site, event.patient or "") for event in told}
        persons = await self._persons.resolve(patients, _merges(told))
        numbers = {identity.person for identity in persons.values()}
        decisions = await self._gate.decisions(numbers, self._sink.name, self._sink.purpose)
        return await self._map_all([_owned(record, persons) for record in newest.values()], persons, decisions)

    def _newest(self, records: Sequence[Record]) -> dict[str, Record]:
        newest: dict[str, Record] = {}
        for record in records:
            # The new partition carries the same version as an update; `moved` is for those who own a partition alone.
            if record.event.op == "moved" or self._lives.undone(record.event):
                continue
            held = newest.get(record.event.key)
            if held is None or record.event.order >= held.event.order:
                newest[record.event.key] = record
        return newest

    async def _map_all(
        self, records: Sequence[Record], persons: dict[PatientKey, Identity], decisions: Decisions
    ) -> list[Work]:
        work: list[Work] = []
        began = clock.monotonic()
        for record in records:
            identity = persons.get((record.event.site, record.event.patient or ""))
            work.append(await self._map(record, identity and identity.person, decisions))
            if clock.monotonic() - began > SLICE_S:
                await asyncio.sleep(0)
                began = clock.monotonic()
        return work

    async def _map(self, record: Record, person: int | None, decisions: Decisions) -> Work:
        event = record.event
        if record.problem:
            return _dead(record, person, record.problem)
        if event.gone:
            why = UNDONE if event.reason == UNDONE else ""
            return _work(record, Change(event, person, remove=True), "removed", why)
        decision = decisions.of(person, event.site)
        if decision.answer != "deliver":
            return _work(record, Change(event, person, remove=True), "withheld", decision.reason or decision.answer)
        if event.type == "Patient" and event.owner != event.patient:
            return _work(record, Change(event, person, remove=True), "excluded", "merged into another Patient")
        try:
            body = event.body if record.reference is None else await self._follow(record.reference)
            resource = json.decode(body or b"")
            payload = self._sink.map(event, resource, person)
        except Exception as error:
            if transient(error):
                raise
            return _dead(record, person, reason(error))
        if isinstance(payload, Excluded):
            return _work(record, Change(event, person, remove=True), "excluded", payload.reason)
        return _work(record, Change(event, person, resource, payload), "mapped")


def rounds(records: Sequence[Record]) -> list[list[Record]]:
    """The records in order, cut so that no part has two versions of one resource."""
    found: list[list[Record]] = [[]]
    keys: set[str] = set()
    for record in records:
        if record.event.key in keys:
            found.append([])
            keys.clear()
        keys.add(record.event.key)
        found[-1].append(record)
    return found


def _merges(events: Iterable[Event]) -> dict[PatientKey, Merge]:
    """The newest merge that the events tell of each patient."""
    found: dict[PatientKey, Merge] = {}
    for event in sorted(events, key=lambda event: event.merge):
        if event.survivor and event.patient:
            found[event.site, event.patient] = Merge(event.survivor, event.merge)
    return found


def _owned(record: Record, persons: Mapping[PatientKey, Identity]) -> Record:
    """The record with the survivor that the identities know, whatever its event knew when it was sent."""
    identity = persons.get((record.event.site, record.event.patient or ""))
    survivor = identity.survivor if identity else None
    if survivor == record.event.survivor:
        return record
    return record._replace(event=msgspec.structs.replace(record.event, survivor=survivor))


def reason(error: BaseException) -> str:
    """Why an event failed, without content: an exception's own words may quote a record, unless they are ours."""
    if isinstance(error, Unmappable):
        return str(error)
    frames = [(PurePath(frame.filename), frame.lineno) for frame in traceback.extract_tb(error.__traceback__)]
    ours = [
        f"{path.name}:{line}" for path, line in frames if path.suffix == ".py" and "site-packages" not in path.parts
    ]
    named = getattr(error, "constraint_name", None) or getattr(error, "column_name", None) or ""
    return " ".join(filter(None, ["unexpected", type(error).__name__, named, "at", *ours[-1:]]))


def _work(record: Record, change: Change, state: str, why: str = "") -> Work:
    return Work(record, Entry(record.event, change.person, state, why), change)


def _dead(record: Record, person: int | None, why: str) -> Work:
    return Work(record, Entry(record.event, person, "dead", why), Change(record.event, person, remove=True), why)

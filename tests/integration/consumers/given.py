"""Runners of the recording sink, and batches as a log would hand them over."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Sequence
from datetime import UTC, datetime
from typing import Any

from consumers.dead_letters import Retrying
from consumers.gate import Gate
from consumers.offsets import Offsets
from consumers.persons import Persons
from consumers.prepare import Follow, Prepare
from consumers.resync import Resync
from consumers.runner import Runner
from ecluse.bus.embedded import EmbeddedLog
from ecluse.bus.event import Event
from ecluse.bus.log import UNPLACED, Batch, Log, Record, Reference
from ecluse.core.fhir import json
from tests.integration.consumers.recording import RecordingSink

DEADLINE_S = 120.0


async def no_reference(reference: Reference) -> bytes:
    raise AssertionError(f"nothing is fetched from {reference.url}")


def runner(
    sink: RecordingSink, pool: Any, log: Log | None = None, follow: Follow = no_reference, resync: Resync | None = None
) -> Runner:
    """A runner that leads, on the embedded log or on the log that is given."""
    reading = log or EmbeddedLog(pool, sink.name, sorted(sink.types))
    prepare = Prepare(sink, Persons(pool), Gate(pool), follow)
    duties = [Retrying(pool, sink.name, pool).step, *([resync.step] if resync else [])]
    return Runner(sink, reading, Offsets(pool, sink.name, 1), prepare, duties)


def event(resource_id: str, version: int, text: str | None, *, epoch: int = 1, patient: str | None = "p") -> Event:
    """A version of an Observation whose content is a text; None deletes it."""
    body = None if text is None else json.encode({"resourceType": "Observation", "id": resource_id, "text": text})
    return Event(
        site="default",
        type="Observation",
        id=resource_id,
        version=version,
        epoch=epoch,
        seq=version,
        op="deleted" if text is None else "created" if version == 1 else "updated",
        time=datetime(2026, 1, 1, tzinfo=UTC),
        patient=patient,
        body=body,
    )


def batch(events: Sequence[Event]) -> Batch:
    """Events in one batch, from no log."""
    return Batch([Record(item, "test", 0, 0) for item in events], {}, UNPLACED)


async def until(true: Callable[[], Any], *running: asyncio.Task[Any]) -> None:
    """Returns when an awaited condition holds; fails when it does not in time, or when a task ends with an error."""
    deadline = asyncio.get_running_loop().time() + DEADLINE_S
    while not await true():
        for task in running:
            if task.done():
                task.result()
        assert asyncio.get_running_loop().time() < deadline, "it did not come true in time"
        await asyncio.sleep(0.02)

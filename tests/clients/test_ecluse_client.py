"""ecluse_client on a real server and a real broker: what it tells is what was written, each once, in order."""

from __future__ import annotations

import asyncio
import json
import os
import sqlite3
import subprocess
import sys
import time
from collections.abc import AsyncIterator, Iterator
from contextlib import aclosing, suppress
from dataclasses import replace
from hashlib import sha256
from pathlib import Path
from typing import Any

import httpx
import msgspec
import psycopg
import pytest

from ecluse.core import clock
from ecluse_client import Event, Fhir, Newest, NoLongerKept, Position, Refused, follow, subscribe
from tests.services.postgres import Postgres
from tests.services.server import Served, serving

EXAMPLES = Path(__file__).parents[2] / "examples"
PREFIX = "client."
WITHIN_S = 60


@pytest.fixture(scope="module")
def bus(postgres: Postgres, kafka: str, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Served]:
    """A server and its relay."""
    settings = {
        "ECLUSE_BUS": "kafka",
        "ECLUSE_KAFKA_BOOTSTRAP": kafka,
        "ECLUSE_KAFKA_PREFIX": PREFIX,
        "ECLUSE_KAFKA_PARTITIONS": "2",
    }
    data = tmp_path_factory.mktemp("client")
    with postgres.database("template0") as url, serving(data, "up", ECLUSE_DATABASE_URL=url, **settings) as served:
        yield served


async def some(events: AsyncIterator[Event], last: Position) -> list[Event]:
    """Events up to a position."""
    found: list[Event] = []
    async with asyncio.timeout(WITHIN_S), aclosing(events):  # type: ignore[type-var]
        async for event in events:
            found.append(event)
            if event.position >= last:
                return found
    raise AssertionError("the events ended")


def observation(patient: str, value: float, **more: Any) -> dict[str, Any]:
    coding = {"system": "http://loinc.org", "code": "2823-3"}
    quantity = {"value": value, "unit": "mmol/l", "system": "http://unitsofmeasure.org", "code": "mmol/L"}
    what = {"status": "final", "code": {"coding": [coding]}, "valueQuantity": quantity}
    return {"resourceType": "Observation", **what, "subject": {"reference": f"Patient/{patient}"}, **more}


class Quantity(msgspec.Struct):
    value: float
    unit: str = ""


class Measured(msgspec.Struct):
    id: str
    valueQuantity: Quantity


async def test_both_ways_tell_what_was_written_in_order(bus: Served, kafka: str) -> None:
    async with Fhir(f"{bus.url}/fhir") as fhir:
        anna = await fhir.create({"resourceType": "Patient", "name": [{"family": "Anna"}]})
        assert anna.event is not None
        before = Position(anna.event.epoch, anna.event.seq)
        one = await fhir.create(observation(anna.id, 4.1))
        same = await fhir.update({**(one.resource or {}), "id": one.id}, if_match=1)
        changed = await fhir.update(observation(anna.id, 4.2, id=one.id), if_match=1)
        with pytest.raises(Refused) as refused:
            await fhir.update(observation(anna.id, 4.3, id=one.id), if_match=1)
        patched = await fhir.patch("Observation", one.id, [{"op": "replace", "path": "/status", "value": "amended"}])
        gone = await fhir.delete("Observation", one.id)
        note = "x" * 1_000_000
        large = await fhir.create(observation(anna.id, 5, note=[{"text": note}]))
    assert refused.value.status == 412 and refused.value.outcome["resourceType"] == "OperationOutcome"
    assert (same.event, same.version) == (None, 1)
    assert [each.version for each in (one, changed, patched, gone, large)] == [1, 2, 3, 4, 1]
    assert large.event is not None
    broker = subscribe("Observation", group="both-ways", bootstrap=kafka, prefix=PREFIX)
    by_kafka = await some(broker, large.event)
    by_http = await some(follow(bus.url, "Observation", since=before), large.event)
    assert by_http == by_kafka
    assert [(each.action, each.id, each.version, each.patient) for each in by_kafka] == [
        ("created", one.id, 1, anna.id),
        ("updated", one.id, 2, anna.id),
        ("updated", one.id, 3, anna.id),
        ("deleted", one.id, 4, anna.id),
        ("created", large.id, 1, anna.id),
    ]
    assert [each.position for each in by_kafka] == [each.event for each in (one, changed, patched, gone, large)]
    assert by_kafka[1].as_(Measured) == Measured(one.id, Quantity(4.2, "mmol/l"))
    assert by_kafka[3].resource is None and by_kafka[3].gone
    with pytest.raises(LookupError):
        by_kafka[3].as_(Measured)
    assert (by_kafka[4].resource or {})["note"] == [{"text": note}]


async def test_every_way_to_end_a_line_comes_through(bus: Served, kafka: str) -> None:
    text = "a\u0085b\u2028c\u2029d e\r\nf"
    items = [{"type": kind, "resource": {"display": text}} for kind in ("source", "alternate")]
    async with Fhir(f"{bus.url}/fhir") as fhir:
        before = (await fhir.create({"resourceType": "Substance", "code": {"text": text}})).event
    content = json.dumps({"resourceType": "Linkage", "item": items}, indent=1, ensure_ascii=False).replace("\n", "\r\n")
    answer = httpx.post(
        f"{bus.url}/fhir/Linkage", content=content.encode(), headers={"Content-Type": "application/fhir+json"}
    )
    assert answer.status_code == 201, answer.text
    last = Position.of(answer.headers["x-ecluse-event"])
    (by_kafka,) = await some(subscribe("Linkage", group="lines", bootstrap=kafka, prefix=PREFIX), last)
    (by_http,) = await some(follow(bus.url, "Linkage", since=before or ""), last)
    assert by_http == by_kafka
    assert (by_http.resource or {})["item"] == items


async def test_what_was_not_finished_comes_again_and_what_was_does_not(bus: Served, kafka: str) -> None:
    async with Fhir(f"{bus.url}/fhir") as fhir:
        written = [await fhir.create({"resourceType": "Basic", "code": {"text": f"{n}"}}) for n in range(4)]

    async def read(count: int) -> list[str]:
        found: list[str] = []
        events = subscribe("Basic", group="again", bootstrap=kafka, prefix=PREFIX)
        async with asyncio.timeout(WITHIN_S), aclosing(events):  # type: ignore[type-var]
            async for event in events:
                found.append(event.id)
                if len(found) == count:
                    return found
        return found

    ids = {each.id for each in written}
    first = await read(3)
    second = await read(2)
    assert len(set(first)) == 3
    assert second[0] == first[2] or second[1] == first[2], "the third was handed out and not finished"
    assert set(first) | set(second) == ids
    assert not set(second) & set(first[:2])


async def test_a_search_goes_through_its_pages_and_waits_for_what_was_written(bus: Served) -> None:
    async with Fhir(f"{bus.url}/fhir", wait=["search"]) as fhir:
        entries = [
            {
                "resource": {"resourceType": "Organization", "name": f"Clinique {number}"},
                "request": {"method": "POST", "url": "Organization"},
            }
            for number in range(7)
        ]
        answer = await fhir.transaction(entries)
        names = [one["name"] async for one in fhir.search("Organization", name="clinique", _count=3)]
        with pytest.raises(Refused, match="search parameter"):
            await anext(fhir.search("Organization", nonsense="1"))
        with pytest.raises(Refused) as refused:
            await fhir.read("Organization", "nobody")
    assert len(answer["entry"]) == 7
    assert sorted(names) == [f"Clinique {number}" for number in range(7)]
    assert refused.value.status == 404


async def test_a_position_that_is_no_longer_kept_is_told(bus: Served) -> None:
    async with asyncio.timeout(WITHIN_S):
        with pytest.raises((NoLongerKept, httpx.HTTPStatusError)) as refused:
            await anext(follow(bus.url, "Patient", since="99.1"))
    assert "99.1" in str(refused.value)


def event(key: str, epoch: int, version: int, seq: int) -> Event:
    _, kind, own = key.split("/")
    return Event("updated", "default", kind, own, version, Position(epoch, seq), clock.now())


def test_newest_takes_each_event_once_and_nothing_older(tmp_path: Path) -> None:
    database = sqlite3.connect(tmp_path / "own.sqlite")
    newest = Newest(database)
    with database:
        assert newest.take(event("default/Patient/1", 1, 2, 20))
    asked = [(1, 2, 20), (1, 1, 30), (1, 2, 25), (1, 3, 40), (2, 1, 5), (1, 9, 99)]
    with database:
        taken = [newest.take(event("default/Patient/1", *each)) for each in asked]
        other = newest.take(event("default/Patient/2", 1, 1, 1))
    assert taken == [False, False, True, True, True, False] and other
    with pytest.raises(RuntimeError), database:
        assert newest.take(event("default/Patient/1", 2, 2, 50))
        raise RuntimeError("the effect failed")
    assert Newest(database).take(event("default/Patient/1", 2, 2, 50)), "what was rolled back comes again"
    with pytest.raises(ValueError, match="small letters"):
        Newest(database, "a; DROP")


@pytest.mark.parametrize(("order", "taken"), [("mu", [True, True]), ("um", [True, False])])
def test_what_moved_is_the_new_patients_in_either_order(tmp_path: Path, order: str, taken: list[bool]) -> None:
    updated = event("default/Encounter/1", 1, 2, 20)
    told = {"u": updated, "m": replace(updated, action="moved")}
    newest = Newest(sqlite3.connect(tmp_path / "own.sqlite"))
    assert [newest.take(told[each]) for each in order] == taken
    assert [newest.take(told[each]) for each in order] == [False, False], "they come again"


async def test_a_type_that_no_topic_is_about_is_told_once(kafka: str, caplog: pytest.LogCaptureFixture) -> None:
    events = subscribe("Nope", group="nope", bootstrap=kafka, prefix=PREFIX)
    with suppress(TimeoutError):
        async with asyncio.timeout(12), aclosing(events):  # type: ignore[type-var]
            async for one in events:
                raise AssertionError(one)
    (told,) = (record.getMessage() for record in caplog.records if record.name == "ecluse_client")
    assert "fhir.nope.v1" in told


async def test_a_loop_that_was_too_slow_for_its_group_goes_on(bus: Served, kafka: str) -> None:
    group = {"resourceType": "Group", "type": "person", "actual": True}
    async with Fhir(f"{bus.url}/fhir") as fhir:
        ids = [(await fhir.create(group)).id for _ in range(3)]
    slow = {"max.poll.interval.ms": 6000, "session.timeout.ms": 6000}  # the least that brokers allow
    found: list[str] = []
    events = subscribe("Group", group="slow", bootstrap=kafka, prefix=PREFIX, settings=slow)
    async with asyncio.timeout(WITHIN_S), aclosing(events):  # type: ignore[type-var]
        async for one in events:
            if not found:
                await asyncio.sleep(7)  # longer than the group waits
            found.append(one.id)
            if set(found) == set(ids) and found.count(found[0]) > 1:
                return
    raise AssertionError("the events ended")


def test_newest_on_postgresql(postgres: Postgres) -> None:
    with postgres.database("template0") as url, psycopg.connect(url) as conn:
        newest = Newest(conn)
        assert [newest.take(event("default/Patient/1", 1, 2, n)) for n in (20, 20, 21)] == [True, False, True]


@pytest.mark.parametrize("language", ["node", "java"])
async def test_programs_that_know_nothing_of_ours_read_the_same(
    bus: Served, kafka: str, example: dict[str, list[str]], language: str, tmp_path: Path
) -> None:
    kind = {"node": "Device", "java": "Location"}[language]
    async with Fhir(f"{bus.url}/fhir") as fhir:
        before = (await fhir.create({"resourceType": "Basic", "code": {"text": "before"}})).event
        one = await fhir.create({"resourceType": kind, "text": NARRATIVE})
        two = await fhir.create({"resourceType": kind, "status": "active"})
        await fhir.update({"resourceType": kind, "id": one.id, "status": "inactive"})
        last = await fhir.delete(kind, one.id)
    assert before and last.event
    events = await some(follow(bus.url, kind, since=before), last.event)
    # The topics keep what was erased until their retention ends, /events does not.
    purged = httpx.post(f"{bus.url}/fhir/{kind}/{two.id}/$purge", timeout=60)
    assert purged.status_code == 200, purged.text
    end = Position.of(purged.headers["x-ecluse-event"])
    events += await some(follow(bus.url, kind, since=last.event), end)
    wanted = [
        {
            "position": str(each.position),
            "action": each.action,
            "id": f"{each.key}/_history/{each.version}",
            "patient": each.patient,
            "sha256": each.body and sha256(each.body).hexdigest(),
        }
        for each in events
    ]
    assert [each["action"] for each in wanted] == ["created", "created", "updated", "deleted", "erased"]
    command = [*example[language], kafka, kind, f"in-{language}", PREFIX]
    told = [json.loads(line) for line in await _printed(command, len(wanted), tmp_path / "told")]
    assert sorted(told, key=lambda each: Position.of(each["position"])) == wanted


NARRATIVE = {"status": "generated", "div": f'<div xmlns="http://www.w3.org/1999/xhtml">{"x" * 1_000_000}</div>'}


async def _printed(command: list[str], count: int, file: Path) -> list[str]:
    """The lines that a program prints until there are so many."""
    with file.open("wb") as out:
        running = subprocess.Popen(command, stdout=out)
    try:
        await _until(lambda: file.read_text().count("\n") >= count, running)
    finally:
        running.terminate()
        running.wait(30)
    return file.read_text().splitlines()


def alerts(bus: Served) -> list[str]:
    found = httpx.get(f"{bus.url}/fhir/Flag?identifier=urn:icu|&_sort=_lastUpdated", timeout=30).json()
    return [entry["resource"]["code"]["text"] for entry in found.get("entry", ())]


async def test_the_example_alerts_once_through_a_kill(bus: Served, kafka: str, tmp_path: Path) -> None:
    command = [sys.executable, str(EXAMPLES / "icu_alerts.py"), kafka, f"{bus.url}/fhir", PREFIX]

    def start() -> subprocess.Popen[bytes]:
        return subprocess.Popen(command, cwd=tmp_path, env={**os.environ, "PYTHONWARNINGS": "error"})

    async with Fhir(f"{bus.url}/fhir") as fhir:
        patient = await fhir.create({"resourceType": "Patient"})
        await fhir.create(observation(patient.id, 6.5))
        await fhir.create(observation(patient.id, 3.9))
        running = start()
        try:
            await _until(lambda: alerts(bus) == ["Potassium 6.5 mmol/l"], running)
            running.kill()
            running.wait()
            await fhir.create(observation(patient.id, 7.1))
            running = start()
            await _until(lambda: alerts(bus) == ["Potassium 6.5 mmol/l", "Potassium 7.1 mmol/l"], running)
            of_nobody = observation(patient.id, 9.9)
            del of_nobody["subject"]
            await fhir.create(of_nobody)
            await fhir.create(observation(patient.id, 8.2))
            await _until(lambda: alerts(bus)[2:] == ["Potassium 8.2 mmol/l"], running)
        finally:
            running.kill()
            running.wait()


async def _until(holds: Any, running: subprocess.Popen[bytes]) -> None:
    deadline = time.monotonic() + WITHIN_S
    while not holds():
        assert running.poll() is None, "the example ended"
        assert time.monotonic() < deadline
        await asyncio.sleep(0.05)

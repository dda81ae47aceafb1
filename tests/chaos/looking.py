"""Looks at every place of a system that has come to rest, each in the way in which its users look at it."""

from __future__ import annotations

import asyncio
import itertools
import json
import re
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import asyncpg
import httpx
from confluent_kafka import Consumer, TopicPartition

from tests.chaos.fleet import Fleet
from tests.chaos.seen import CREATED, DELETED, ERASED, UPDATED, Event, Record, Seen, Version
from tests.chaos.writers import WORD_OF_ALL

MARKED = (re.compile(rb'"valueQuantity":\{"value":(\d+)'), re.compile(rb"repere(\d+)"), re.compile(rb'"value":"(\d+)"'))
"""Where the number of a measurement, a report and a patient stands."""
NUMBERS = re.compile(r"repere(\d+)")
OPS = ("", CREATED, UPDATED, DELETED, "moved", ERASED)
REST_S = 600
READ_S = 10.0
VERSIONS = """
    SELECT t.name || '/' || r.id AS key, v.version, v.op, v.body FROM fhir.version v
    JOIN fhir.resource r ON r.site = v.site AND r.type = v.type AND r.pk = v.pk JOIN types t ON t.number = v.type
    ORDER BY v.pk, v.version"""
EVENTS = """
    SELECT (SELECT max(epoch) FROM bus.epoch e WHERE e.first_seq <= o.seq), o.seq, t.name || '/' || r.id, o.version,
        o.op
    FROM bus.outbox o JOIN fhir.resource r ON r.site = o.site AND r.type = o.type AND r.pk = o.pk
    JOIN types t ON t.number = o.type WHERE o.reason IS NULL ORDER BY o.seq"""
MEASUREMENTS = """
    SELECT i.resource_type || '/' || i.resource_id, m.value_as_number::bigint
    FROM omop.measurement m JOIN omop_map.id_map i ON i.omop_table = 'measurement' AND i.omop_id = m.measurement_id"""
PERSONS = """
    SELECT i.resource_type || '/' || i.resource_id, NULL
    FROM omop.person p JOIN omop_map.id_map i ON i.omop_table = 'person' AND i.omop_id = p.person_id"""


def come_to_rest(fleet: Fleet) -> None:
    """Returns when every consumer has caught up."""
    fleet.ecluse("wait", "--timeout", str(REST_S), timeout_s=REST_S + 30)


def look(fleet: Fleet, acknowledged: Sequence[Version], purged: Sequence[str], key: Path) -> Seen:
    """What stands everywhere. key: of the feed's recipient"""
    history, outbox, warehouse, lives = asyncio.run(_stored(fleet))
    records = sorted(_records(fleet, lives), key=lambda one: (one.topic, one.partition, one.offset))
    return Seen(
        acknowledged=acknowledged,
        history=history,
        outbox=outbox,
        records=[one for one in records if ".state." not in one.topic],
        states=[one for one in records if ".state." in one.topic],
        warehouse=warehouse,
        texts=_found(fleet),
        feed=_opened(fleet, key),
        unbalanced=_unbalanced(fleet),
        purged=purged,
    )


async def _stored(
    fleet: Fleet,
) -> tuple[list[Version], list[Event], list[tuple[str, int | None]], list[tuple[int, int]]]:
    """Versions, events, rows of the warehouse, and the epochs with their first numbers."""
    from ecluse.core.fhir import types  # the numbers of types are the store's own

    names = ", ".join(f"({number}, '{name}')" for name, number in types.number_of.items())
    given = f"WITH types (number, name) AS (VALUES {names}) "
    conn = await asyncpg.connect(fleet.database_url)
    try:
        versions = await conn.fetch(given + VERSIONS)
        events = await conn.fetch(given + EVENTS)
        rows = [*await conn.fetch(MEASUREMENTS), *await conn.fetch(PERSONS)]
        lives = await conn.fetch("SELECT epoch, first_seq FROM bus.epoch")
    finally:
        await conn.close()
    history = [Version(key, version, OPS[op], mark(body)) for key, version, op, body in versions]
    outbox = [Event(epoch, seq, key, version, OPS[op]) for epoch, seq, key, version, op in events]
    return history, outbox, [tuple(row) for row in rows], [tuple(row) for row in lives]


def mark(body: bytes | None) -> int | None:
    """The number that a body carries."""
    if not body:
        return None
    return next(int(found[1]) for pattern in MARKED if (found := pattern.search(body)))


def _records(fleet: Fleet, lives: Sequence[tuple[int, int]]) -> Iterator[Record]:
    """Every committed record of every topic of resources; of the topics of events without those that were sent again on
    purpose, and those that a restore undid. lives: epochs with their first numbers"""
    consumer = Consumer(
        {
            "bootstrap.servers": fleet.bootstrap,
            "group.id": "checker",
            "enable.auto.commit": False,
            "isolation.level": "read_committed",
            "enable.partition.eof": True,
        }
    )
    try:
        topics = consumer.list_topics(timeout=READ_S).topics
        left = {(name, number) for name in topics if name.startswith("fhir.") for number in topics[name].partitions}
        consumer.assign([TopicPartition(name, number, 0) for name, number in left])
        while left:
            message = consumer.poll(READ_S)
            if message is None:
                raise AssertionError(f"{sorted(left)} were not read to their end within {READ_S} s")
            error = message.error()
            if error is None:
                headers: Any = message.headers()
                told = {name: text.decode() for name, text in headers}
                if ".state." in str(message.topic()) or not (told.get("ecluse-reason") or _undone(told, lives)):
                    yield _record(message, told)
            elif error.name() == "_PARTITION_EOF":
                left.discard((message.topic(), message.partition()))
    finally:
        consumer.close()


def _undone(told: dict[str, str], lives: Sequence[tuple[int, int]]) -> bool:
    epoch, seq = int(told["ecluse-epoch"]), int(told["ecluse-seq"])
    return any(epoch < later and seq >= first for later, first in lives)


def _record(message: Any, told: dict[str, str]) -> Record:
    """What a record says, by its headers."""
    place = message.topic(), message.partition(), message.offset()
    key = message.key().decode().partition("/")[2]
    version = int(told["ce_id"].partition("#")[0].rpartition("/")[2])
    op = told["ce_type"].rpartition(".")[2]
    return Record(*place, key, version, op, mark(message.value()), told["ecluse-lane"])


def _found(fleet: Fleet) -> list[tuple[str, int]]:
    """Every report that is found, with the word by which it says its number."""
    found: list[tuple[str, int]] = []
    with httpx.Client(base_url=fleet.url, timeout=30) as client:
        for page in itertools.count(1):
            asked = {"q": WORD_OF_ALL, "count": "100", "page": str(page), "format": "json"}
            hits = client.get("/search", params=asked).raise_for_status().json()["hits"]
            if not hits:
                return found
            for hit in hits:
                found += [
                    (hit["key"].partition("/")[2], int(number)) for number in NUMBERS.findall(hit["snippet_html"])
                ]
    return found


def _opened(fleet: Fleet, key: Path) -> list[int]:
    """The values in the last state of the feed."""
    sealed = fleet.folder / "feed.jsonl"
    fleet.ecluse("hub", "export", "trial", "--out", str(sealed))
    opened = fleet.ecluse("hub", "decrypt", "--key", str(key), "--last-state", str(sealed))
    records: list[dict[str, Any]] = [json.loads(line) for line in opened.split("\n") if line]
    contents = [record.get("resource") or record for record in records]
    return [int(one["valueQuantity"]["value"]) for one in contents if "valueQuantity" in one]


def _unbalanced(fleet: Fleet) -> list[str]:
    consumers = json.loads(fleet.ecluse("status", "--json"))["consumers"]
    return [json.dumps(one) for one in consumers if not one["balanced"] or one["dead"]]

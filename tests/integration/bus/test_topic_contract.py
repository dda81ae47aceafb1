"""What stands on the topics of a live broker, read by a client that knows nothing of ours."""

from __future__ import annotations

import asyncio
import zlib
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any, NamedTuple

import asyncpg
import pytest
from confluent_kafka import Consumer, TopicPartition
from confluent_kafka.admin import AdminClient, ConfigResource

from ecluse.bus import asyncapi
from ecluse.bus.broker import client
from ecluse.bus.relay import Relay
from ecluse.bus.topics import Topics
from ecluse.core.settings import Settings
from tests.integration.bus.store import Put, put
from tests.integration.consumers.given import until

pytestmark = pytest.mark.kafka


class Read(NamedTuple):
    """A record as any client sees it."""

    partition: int
    key: bytes
    value: bytes | None
    headers: dict[str, str]


def read_all(settings: Settings, topic: str) -> list[Read]:
    """Every committed record of a topic."""
    consumer = Consumer(
        {
            **client(settings),
            "group.id": "contract",
            "isolation.level": "read_committed",
            "enable.partition.eof": True,
            "enable.auto.commit": False,
        }
    )
    name = settings.kafka_prefix + topic
    partitions = consumer.list_topics(name, timeout=10).topics[name].partitions
    consumer.assign([TopicPartition(name, number, 0) for number in partitions])
    found, ended = [], set()
    while len(ended) < len(partitions):
        message = consumer.poll(10)
        assert message is not None, "the broker does not answer"
        if message.error():
            ended.add(message.partition())
            continue
        headers: Any = message.headers()
        told = {name: value.decode() for name, value in headers}
        found.append(Read(message.partition(), message.key(), message.value(), told))
    consumer.close()
    return found


@asynccontextmanager
async def relaying(settings: Settings, pool: asyncpg.Pool) -> AsyncIterator[None]:
    """A relay that has sent everything when the block begins, and runs until its end."""
    stop = asyncio.Event()
    running = asyncio.create_task(Relay(settings, pool).run(stop))
    await sent(pool, running)
    yield
    stop.set()
    await running


async def sent(pool: asyncpg.Pool, *running: asyncio.Task[None]) -> None:
    """Returns when the relay's cursor has reached the last event."""

    async def done() -> bool:
        return bool(
            await pool.fetchval(
                "SELECT (SELECT max(seq) FROM bus.outbox) = (SELECT min(seq) FROM bus.cursor WHERE name = 'relay')"
            )
        )

    await until(done, *running)


async def test_an_event_is_a_cloud_event_under_the_key_of_its_resource(pool: asyncpg.Pool, on_kafka: Settings) -> None:
    async with pool.acquire() as conn:
        await put(conn, [Put("Observation", "o", {"text": "été"}, "p"), Put("Patient", "p", {}, "p")])
    async with relaying(on_kafka, pool):
        (record,) = await asyncio.to_thread(read_all, on_kafka, "fhir.observation.v1")
        (patient,) = await asyncio.to_thread(read_all, on_kafka, "fhir.patient.v1")
    assert record.key == b"default/Observation/o"
    assert record.value == '{"resourceType":"Observation","id":"o","text":"été"}'.encode()
    stored = await pool.fetchrow("SELECT updated, write_id FROM fhir.version WHERE version = 1 LIMIT 1")
    request_id = await pool.fetchval("SELECT request_id FROM fhir.write")
    assert record.headers == {
        "ce_specversion": "1.0",
        "ce_id": "default/Observation/o/_history/1",
        "ce_type": "fhir.resource.created",
        "ce_source": "/sites/default",
        "ce_subject": "Observation/o",
        "ce_time": stored["updated"].isoformat(timespec="milliseconds").replace("+00:00", "Z"),
        "content-type": "application/fhir+json; fhirVersion=4.0",
        "ce_bundle": f"{stored['write_id']} 1/2",
        "ecluse-patient": "p",
        "ecluse-epoch": "1",
        "ecluse-seq": "1",
        "ecluse-lane": "live",
        "ecluse-sender": "test",
        "ecluse-request-id": request_id,
    }
    assert record.headers.keys() <= asyncapi.HEADERS.keys()
    assert record.partition == patient.partition == zlib.crc32(b"default/Patient/p") % on_kafka.kafka_partitions


async def test_a_resource_of_no_patient_is_partitioned_by_its_own_key(pool: asyncpg.Pool, on_kafka: Settings) -> None:
    async with pool.acquire() as conn:
        await put(conn, [Put("Organization", "org", {})])
    async with relaying(on_kafka, pool):
        (record,) = await asyncio.to_thread(read_all, on_kafka, "fhir.organization.v1")
    assert record.partition == zlib.crc32(b"default/Organization/org") % on_kafka.kafka_partitions
    assert "ecluse-patient" not in record.headers


async def test_a_delete_has_no_value_and_stays_with_its_patient(pool: asyncpg.Pool, on_kafka: Settings) -> None:
    async with pool.acquire() as conn:
        await put(conn, [Put("Observation", "o", {}, "p")])
        await put(conn, [Put("Observation", "o", None, "p")])
    async with relaying(on_kafka, pool):
        created, deleted = await asyncio.to_thread(read_all, on_kafka, "fhir.observation.v1")
        state = await asyncio.to_thread(read_all, on_kafka, "fhir.observation.state.v1")
    assert (created.key, created.partition) == (deleted.key, deleted.partition)
    assert deleted.value is None
    assert deleted.headers["ce_type"] == "fhir.resource.deleted"
    assert deleted.headers["ce_id"] == "default/Observation/o/_history/2"
    assert [record.value for record in state] == [None]


async def test_a_resource_that_changes_patient_tells_its_former_partition(
    pool: asyncpg.Pool, on_kafka: Settings
) -> None:
    async with pool.acquire() as conn:
        await put(conn, [Put("Observation", "o", {}, "p1")])
        await put(conn, [Put("Observation", "o", {"text": "moved"}, "p2")])
    async with relaying(on_kafka, pool):
        records = await asyncio.to_thread(read_all, on_kafka, "fhir.observation.v1")
    by_type = {record.headers["ce_type"].rpartition(".")[2]: record for record in records}
    assert by_type.keys() == {"created", "updated", "moved"}
    assert by_type["moved"].partition == by_type["created"].partition
    assert by_type["moved"].headers["ecluse-patient"] == "p1"
    assert by_type["moved"].value is not None
    assert by_type["moved"].headers["ce_id"] == "default/Observation/o/_history/2#moved"
    assert by_type["updated"].headers["ecluse-patient"] == "p2"
    assert by_type["updated"].partition == zlib.crc32(b"default/Patient/p2") % on_kafka.kafka_partitions


async def test_a_state_record_is_never_an_older_version(pool: asyncpg.Pool, on_kafka: Settings) -> None:
    async with pool.acquire() as conn:
        await put(conn, [Put("Observation", "o", {"text": "bulk"}, "p")], lane=1)
        await put(conn, [Put("Observation", "o", {"text": "live"}, "p")], lane=0)
    async with relaying(on_kafka, pool):
        states = await asyncio.to_thread(read_all, on_kafka, "fhir.observation.state.v1")
        events = await asyncio.to_thread(read_all, on_kafka, "fhir.observation.v1")
    assert [state.headers["ce_id"][-1] for state in states] == ["2"]
    assert states[0].partition == zlib.crc32(b"default/Observation/o") % on_kafka.kafka_partitions
    assert {event.headers["ecluse-lane"] for event in events} == {"live", "bulk"}


async def test_topics_are_made_when_first_named_as_the_published_document_says(
    pool: asyncpg.Pool, on_kafka: Settings
) -> None:
    async with pool.acquire() as conn:
        await put(conn, [Put("Patient", "p", {}, "p")])
    async with relaying(on_kafka, pool):
        pass
    admin = AdminClient({"bootstrap.servers": on_kafka.kafka_bootstrap})
    prefix = on_kafka.kafka_prefix
    topics = {name: topic for name, topic in admin.list_topics(timeout=10).topics.items() if name.startswith(prefix)}
    assert topics.keys() == {f"{prefix}fhir.patient.v1", f"{prefix}fhir.patient.state.v1"}
    assert {len(topic.partitions) for topic in topics.values()} == {on_kafka.kafka_partitions}
    channels = asyncapi.document(Topics(prefix, on_kafka.kafka_partitions))["channels"].values()
    wanted = {
        channel["address"].format(type="patient"): {
            name: value[0] if isinstance(value, list) else str(value)
            for name, value in channel["bindings"]["kafka"]["topicConfiguration"].items()
        }
        for channel in channels
        if "type" in channel["parameters"]
    }
    asked = [ConfigResource(ConfigResource.Type.TOPIC, name) for name in wanted]
    answers = {resource.name: future.result() for resource, future in admin.describe_configs(asked).items()}
    assert {topic: {name: answers[topic][name].value for name in config} for topic, config in wanted.items()} == wanted
    assert await pool.fetchval("SELECT count(*) FROM bus.topic WHERE partitions = $1", on_kafka.kafka_partitions) == 2

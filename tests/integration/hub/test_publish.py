"""A feed on its topic, on a real broker."""

from __future__ import annotations

import asyncio
import dataclasses
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import pytest
from confluent_kafka.admin import AdminClient, ConfigResource, ResourceType

from consumers.hub.reading import last_state, read
from consumers.hub.seal import holder
from ecluse.core.db.databases import Databases
from ecluse.core.settings import Settings
from tests.conftest import SettingsFactory
from tests.integration.bus.test_topic_contract import Read, read_all
from tests.integration.consumers.given import until
from tests.integration.hub.given import Feeding, event, observation, patient
from tests.services.kafka import Broker
from tests.unit.consumers.hub.given import PRIVATE, PUBLIC

pytestmark = pytest.mark.kafka
TOPIC = "hub.asthme.v1"


@asynccontextmanager
async def publishing(settings: Settings, databases: Databases) -> AsyncIterator[Feeding]:
    """The project's consumer with a publisher, closed at the end."""
    feeding = await Feeding(settings, databases).open()
    try:
        yield feeding
    finally:
        await feeding.sink.close()


async def shipped(feeding: Feeding) -> None:
    """Returns when the topic has what the feed has."""

    async def through() -> bool:
        row = await feeding.databases.hub.fetchrow("SELECT last_seq, published_seq FROM hub.project")
        return bool(row["last_seq"] == row["published_seq"])

    await until(through)


def by_seq(records: list[Read]) -> list[Read]:
    return sorted(records, key=lambda record: int(record.headers["ecluse-seq"]))


@pytest.fixture
def settings_on_kafka(settings: SettingsFactory, on_kafka: Settings) -> Settings:
    """The test's settings with a bus on the real broker."""
    given = {"kafka_bootstrap": on_kafka.kafka_bootstrap, "kafka_prefix": on_kafka.kafka_prefix}
    return settings(bus="kafka", kafka_partitions=4, **given)


async def test_the_topic_holds_the_feed_sealed_under_keyed_hashes(
    settings_on_kafka: Settings, databases: Databases
) -> None:
    async with publishing(settings_on_kafka, databases) as feeding:
        await feeding.tell(event(patient()), event(observation("o1")), event(observation("o2")))
        await shipped(feeding)
        await feeding.tell(event(observation("o1", status="amended"), 2), event("Observation/o2", 2))
        await shipped(feeding)
    records = by_seq(await asyncio.to_thread(read_all, settings_on_kafka, TOPIC))
    assert len(records) == 5
    rows = {row.seq: row for row in await feeding.rows()}
    for record in records:
        seq = int(record.headers["ecluse-seq"])
        assert record.headers == {
            "content-type": "application/jose",
            "ecluse-key-id": PUBLIC["kid"],
            "ecluse-seq": str(seq),
        }
        assert record.value is not None, "a notice is a sealed record, never null"
        if seq in rows:
            assert (record.key, record.value) == (rows[seq].key.encode(), rows[seq].record.encode())
    opened = list(read([record.value for record in records if record.value], holder(PRIVATE)))
    assert [one.content["op"] for one in opened] == ["recorded"] * 4 + ["deleted"]
    assert list(last_state(opened)) == await feeding.last_state()
    admin = AdminClient({"bootstrap.servers": settings_on_kafka.kafka_bootstrap})
    topic = ConfigResource(ResourceType.TOPIC, settings_on_kafka.kafka_prefix + TOPIC)
    config = (await asyncio.to_thread(admin.describe_configs, [topic]))[topic].result()
    assert config["cleanup.policy"].value == "compact"


async def test_what_was_sent_without_the_cursor_is_sent_again_in_order(
    settings_on_kafka: Settings, databases: Databases
) -> None:
    async with publishing(settings_on_kafka, databases) as feeding:
        for version in range(1, 6):
            await feeding.tell(event(observation("o1", issued=f"2024-05-0{version}T00:00:00Z"), version))
        await shipped(feeding)
    await databases.hub.execute("UPDATE hub.project SET published_seq = 2")
    async with publishing(settings_on_kafka, databases) as again:
        await shipped(again)
    records = await asyncio.to_thread(read_all, settings_on_kafka, TOPIC)
    assert [int(record.headers["ecluse-seq"]) for record in records] == [1, 2, 3, 4, 5, 3, 4, 5]
    opened = read([record.value for record in records if record.value], holder(PRIVATE))
    assert list(last_state(opened)) == await again.last_state()


async def test_a_feed_that_began_before_kafka_is_published_whole(
    feeding: Feeding, settings_on_kafka: Settings, databases: Databases
) -> None:
    await feeding.tell(event(patient()), *(event(observation(f"o{number}")) for number in range(1200)))
    async with publishing(settings_on_kafka, databases) as on_topic:
        await shipped(on_topic)
    records = await asyncio.to_thread(read_all, settings_on_kafka, TOPIC)
    assert sorted(int(record.headers["ecluse-seq"]) for record in records) == list(range(1, 1202))


async def test_while_the_broker_is_away_the_feed_goes_on_and_the_topic_catches_up(
    own_kafka: Broker, settings: SettingsFactory, databases: Databases
) -> None:
    on_own = dataclasses.replace(
        settings(bus="kafka", kafka_partitions=4), kafka_bootstrap=own_kafka.bootstrap, kafka_prefix="own."
    )
    async with publishing(on_own, databases) as feeding:
        await feeding.tell(event(patient()))
        await shipped(feeding)
        await asyncio.to_thread(own_kafka.kill)
        await feeding.tell(event(observation("o1")))
        assert len(await feeding.rows()) == 2
        await asyncio.to_thread(own_kafka.start)
        await shipped(feeding)
    records = by_seq(await asyncio.to_thread(read_all, on_own, TOPIC))
    assert [record.value for record in records] == [row.record.encode() for row in await feeding.rows()]

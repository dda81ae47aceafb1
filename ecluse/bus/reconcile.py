"""Topics as they stand in the broker, held against the registry and made as it says.

Enters: the registry. Leaves: what differs and what can be done about it. Nothing is taken away: no topic, no partition,
no replica; what only an administrator of the brokers can change is told with the way to do it.
"""

from __future__ import annotations

import asyncio
from collections.abc import Iterator, Sequence
from typing import Any, NamedTuple

from confluent_kafka import KafkaException
from confluent_kafka.admin import (  # type: ignore[attr-defined]
    AdminClient,
    AlterConfigOpType,
    ConfigEntry,
    ConfigResource,
    ResourceType,
)

from ecluse.bus.broker import TIMEOUT_S, Broker, client, config_of
from ecluse.bus.topics import Topic, Topics
from ecluse.core.errors import Unavailable
from ecluse.core.settings import Settings

TOPIC, PARTITIONS, REPLICAS = "topic", "partitions", "replicas"
REMEDIES = {
    PARTITIONS: "a record's partition is a hash modulo this number, so it stays: another number needs topics of "
    "another version",
    REPLICAS: "kafka-reassign-partitions.sh of the brokers changes the replicas of a topic that stands",
}
"""What cannot be changed from here, and why or how else."""


class Difference(NamedTuple):
    """Where a topic is not as the registry has it. name: `topic` when there is none, `partitions`, `replicas`, or a
    configuration; remedy: "" when `apply` puts it right"""

    topic: str
    name: str
    found: str
    wanted: str
    remedy: str = ""

    @property
    def put_right(self) -> str:
        """The line that tells that it was put right."""
        if self.name == TOPIC:
            return f"{self.topic}: {self.wanted}"
        return f"{self.topic}: {self.name} was {self.found}, is {self.wanted}"

    def __str__(self) -> str:
        text = f"{self.topic}: {self.name} is {self.found}, to be {self.wanted}"
        return f"{text}; {self.remedy}" if self.remedy else text


async def differences(settings: Settings, topics: Topics, registry: Sequence[Topic]) -> list[Difference]:
    """Where these topics are not as the registry has them, topic by topic.

    Raises: Unavailable (503) when the broker is away"""
    return await asyncio.to_thread(_differences, settings, topics, registry)


class Applied(NamedTuple):
    """What was put right, as it was found, and what still differs."""

    changed: list[Difference]
    left: list[Difference]


async def apply(settings: Settings, store: Any, topics: Topics, registry: Sequence[Topic]) -> Applied:
    """What was changed, so that the topics are as the registry has them as far as that can be done from here.

    store: its database, where topics that were made are recorded
    Raises: Unavailable (503) when the broker is away or refuses a configuration"""
    found = await differences(settings, topics, registry)
    missing = {each.topic for each in found if each.name == TOPIC}
    await Broker(settings, store, topics).ensure_topics([topic for topic in registry if topic.name in missing])
    await asyncio.to_thread(_alter, settings, [each for each in found if each.name != TOPIC and not each.remedy])
    left = await differences(settings, topics, registry)
    still = {(each.topic, each.name) for each in left}
    return Applied([each for each in found if (each.topic, each.name) not in still], left)


def _differences(settings: Settings, topics: Topics, registry: Sequence[Topic]) -> list[Difference]:
    try:
        admin = AdminClient(client(settings))
        standing = admin.list_topics(timeout=TIMEOUT_S).topics
        configs = _configs(admin, [topic.name for topic in registry if topic.name in standing])
    except KafkaException as error:
        raise _unavailable(error) from error
    found: list[Difference] = []
    for topic in registry:
        if topic.name in standing:
            shape = [(PARTITIONS, topics.partitions), (REPLICAS, settings.kafka_replication)]
            found += _of_shape(topic.name, standing[topic.name].partitions.values(), shape)
            found += _of_config(topic.name, configs[topic.name], config_of(settings, topic))
        else:
            config = ", ".join(f"{key}={value}" for key, value in config_of(settings, topic).items())
            found.append(
                Difference(topic.name, TOPIC, "missing", f"made with {topics.partitions} partitions, {config}")
            )
    return found


def _of_shape(name: str, partitions: Any, wanted: Sequence[tuple[str, int]]) -> Iterator[Difference]:
    standing = {PARTITIONS: len(partitions), REPLICAS: min(len(each.replicas) for each in partitions)}
    for part, number in wanted:
        if standing[part] != number:
            yield Difference(name, part, str(standing[part]), str(number), REMEDIES[part])


def _of_config(name: str, standing: dict[str, str], wanted: dict[str, str]) -> Iterator[Difference]:
    for key, value in wanted.items():
        if standing.get(key) != value:
            yield Difference(name, key, standing.get(key, "unset"), value)


def _configs(admin: AdminClient, names: Sequence[str]) -> dict[str, dict[str, str]]:
    if not names:
        return {}
    resources = [ConfigResource(ResourceType.TOPIC, name) for name in names]
    asked = admin.describe_configs(resources, request_timeout=TIMEOUT_S)
    answers = {resource.name: future.result() for resource, future in asked.items()}
    return {name: {key: entry.value for key, entry in entries.items()} for name, entries in answers.items()}


def _alter(settings: Settings, found: Sequence[Difference]) -> None:
    changes: dict[str, list[ConfigEntry]] = {}
    for each in found:
        entry = ConfigEntry(each.name, each.wanted, incremental_operation=AlterConfigOpType.SET)
        changes.setdefault(each.topic, []).append(entry)
    if not changes:
        return
    resources = [
        ConfigResource(ResourceType.TOPIC, name, incremental_configs=entries) for name, entries in changes.items()
    ]
    try:
        # Named, because a client that nobody holds ends before it has answered.
        admin = AdminClient(client(settings))
        for future in admin.incremental_alter_configs(resources, request_timeout=TIMEOUT_S).values():
            future.result()
    except KafkaException as error:
        raise _unavailable(error) from error


def _unavailable(error: KafkaException) -> Unavailable:
    return Unavailable(f"The broker did not do that: {error.args[0].str()}.")

"""Topics in the broker.

Enters: the registry. Leaves: topics that exist, all with the number of partitions that was recorded when the first
was made: a record's partition is a hash modulo this number, so it stays whatever the setting says later.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any

from confluent_kafka import KafkaError, KafkaException
from confluent_kafka.admin import AdminClient
from confluent_kafka.cimpl import NewTopic

from ecluse.bus.topics import Topic, Topics
from ecluse.core import clock
from ecluse.core.db import queries
from ecluse.core.errors import Conflict, Unavailable
from ecluse.core.log import Log
from ecluse.core.settings import Settings

SQL = queries.load(__package__, "broker.sql")
TIMEOUT_S = 10.0
AGAIN_S = 0.05
log = Log("bus.broker")


def client(settings: Settings) -> dict[str, Any]:
    """What every client of the broker is configured with."""
    # Level 2: a broker that is away is our own log line, not one of each thread of the library.
    return {
        "bootstrap.servers": settings.kafka_bootstrap,
        "client.id": "ecluse",
        "log_level": 2,
        "reconnect.backoff.max.ms": 1000,
        **_security(settings),
    }


def _security(settings: Settings) -> dict[str, str]:
    """How the broker is proved, and we to it. Spec: https://docs.confluent.io/platform/current/clients/librdkafka"""
    protocol = settings.kafka_protocol
    told = {"security.protocol": protocol}
    if protocol.endswith("ssl"):
        files = {
            "ssl.ca.location": settings.kafka_ca,
            "ssl.certificate.location": settings.kafka_certificate,
            "ssl.key.location": settings.kafka_key,
        }
        told |= {name: str(path) for name, path in files.items() if path != Path("")}
        if settings.kafka_key_password:
            told["ssl.key.password"] = settings.kafka_key_password.reveal()
    if protocol.startswith("sasl"):
        told["sasl.mechanism"] = settings.kafka_sasl
        told["sasl.username"] = settings.kafka_username
        told["sasl.password"] = settings.kafka_password.reveal()
    return told


async def layout(settings: Settings, store: Any) -> Topics:
    """Names and number of partitions of this installation. store: the store's database"""
    recorded = await store.fetchval(SQL["partitions"])
    if recorded and recorded != settings.kafka_partitions:
        log.warning("number of partitions stays as recorded", count=recorded)
    return Topics(settings.kafka_prefix, recorded or settings.kafka_partitions, settings.kafka_retention_days)


class Broker:
    """Makes topics when they are first needed; remembers those it has seen."""

    def __init__(self, settings: Settings, store: Any, topics: Topics) -> None:
        self._settings = settings
        self._store = store
        self._topics = topics
        self._seen: set[str] = set()
        self._admin: AdminClient | None = None

    def forget(self) -> None:
        """Looks at the broker again before the next record, after something went wrong."""
        self._seen.clear()

    async def ensure(self, resource_types: Iterable[str]) -> None:
        """Both topics of each type exist.

        Raises: Unavailable (503) when the broker is away; Conflict (409) when a topic has another number of partitions
        """
        await self.ensure_topics(self._topics.registry(resource_types))

    async def ensure_topics(self, topics: Iterable[Topic]) -> None:
        """Each of these topics exists.

        Raises: Unavailable (503) when the broker is away; Conflict (409) when a topic has another number of partitions
        """
        missing = [topic for topic in topics if topic.name not in self._seen]
        if missing:
            await asyncio.to_thread(self._make, missing)
            await self._store.execute(SQL["record"], [topic.name for topic in missing], self._topics.partitions)
            self._seen |= {topic.name for topic in missing}

    def _make(self, topics: Sequence[Topic]) -> None:
        try:
            # Not `or`: a client's length is that of its queue, so an idle one counts as false.
            if self._admin is None:
                self._admin = AdminClient(client(self._settings))
            standing = self._admin.list_topics(timeout=TIMEOUT_S).topics
            for topic in topics:
                self._agrees(topic.name, standing)
            new = [self._new(topic) for topic in topics if topic.name not in standing]
            made = self._admin.create_topics(new, request_timeout=TIMEOUT_S) if new else {}
            for name, future in made.items():
                _created(name, future)
            _await(self._admin, {topic.name for topic in topics})
        except KafkaException as error:
            raise Unavailable("the broker does not answer") from error

    def _agrees(self, name: str, standing: dict[str, Any]) -> None:
        if name in standing and len(standing[name].partitions) != self._topics.partitions:
            raise Conflict(
                f"Topic {name} has {len(standing[name].partitions)} partitions where {self._topics.partitions} are "
                "recorded; another number needs topics of another version."
            )

    def _new(self, topic: Topic) -> NewTopic:
        config = config_of(self._settings, topic)
        return NewTopic(topic.name, self._topics.partitions, self._settings.kafka_replication, config=config)


def config_of(settings: Settings, topic: Topic) -> dict[str, str]:
    """The configuration that a topic has to have in these brokers."""
    # With two replicas, one broker that is away would stop every write.
    safe = {"min.insync.replicas": "2"} if settings.kafka_replication > 2 else {}
    return {**dict(topic.config), **safe}


def _await(admin: AdminClient, names: set[str]) -> None:
    """Returns when the broker tells of these topics: who subscribes earlier joins without them."""
    deadline = clock.monotonic() + TIMEOUT_S
    while True:
        standing = admin.list_topics(timeout=TIMEOUT_S).topics
        if all(name in standing and _led(standing[name]) for name in names):
            return
        if clock.monotonic() > deadline:
            raise Unavailable("the broker has not made its topics in time")
        time.sleep(AGAIN_S)


def _led(topic: Any) -> bool:
    return topic.error is None and all(part.leader >= 0 for part in topic.partitions.values())


def _created(name: str, future: Any) -> None:
    try:
        future.result()
    except KafkaException as error:
        if error.args[0].code() != KafkaError.TOPIC_ALREADY_EXISTS:
            raise Unavailable(f"the broker did not make the topic {name}: {error.args[0].str()}") from error

"""Where the topics end, for those who measure how far a consumer is.

Enters: positions in topics. Leaves: how many offsets lie behind each, and the time of the first event among those.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any

from confluent_kafka import Consumer, IsolationLevel, KafkaException, TopicPartition
from confluent_kafka.admin import AdminClient
from confluent_kafka.admin import OffsetSpec as _OffsetSpec  # type: ignore[attr-defined]

from ecluse.bus import envelope
from ecluse.bus.backlog import Waiting
from ecluse.bus.broker import TIMEOUT_S, Broker, client, layout
from ecluse.bus.log import Partition
from ecluse.core import clock
from ecluse.core.errors import Unavailable
from ecluse.core.settings import Settings

LOOK_S = 1.0
AGAIN_S = 0.1
# The library exports the class without types.
OffsetSpec: Any = _OffsetSpec


async def unread(
    settings: Settings, store: Any, resource_types: Sequence[str], positions: Mapping[Partition, int]
) -> dict[Partition, Waiting]:
    """What lies behind these positions in the partitions of these types that are not read to their ends.

    Raises: Unavailable (503) when the broker is away
    """
    topics = await layout(settings, store)
    names = {topics.events(kind) for kind in resource_types}
    return await asyncio.to_thread(_unread, settings, names, positions)


async def unread_ends(
    settings: Settings, store: Any, resource_types: Sequence[str], positions: Mapping[Partition, int]
) -> dict[Partition, int]:
    """Where the partitions end now that are not read to their ends.

    Raises: Unavailable (503) when the broker is away
    """
    topics = await layout(settings, store)
    names = {topics.events(kind) for kind in resource_types}
    behind = await asyncio.to_thread(_settled, settings, names, positions)
    return {place: at + count for place, (at, count) in behind.items()}


async def state_ends(settings: Settings, store: Any, resource_types: Sequence[str]) -> dict[Partition, int]:
    """Where the topics of last states of these types end now, behind what is still being sent.

    Raises: Unavailable (503) when the broker is away
    """
    topics = await layout(settings, store)
    await Broker(settings, store, topics).ensure(resource_types)
    return await asyncio.to_thread(_ends, settings, {topics.state(kind) for kind in resource_types})


def _ends(settings: Settings, names: set[str]) -> dict[Partition, int]:
    try:
        admin = AdminClient(client(settings))
        # Not what is committed: of one transaction the mark may stand in one partition, and not yet in another.
        return _offsets(admin, _places(admin, names), OffsetSpec.latest(), IsolationLevel.READ_UNCOMMITTED)
    except KafkaException as error:
        raise Unavailable("the broker does not answer") from error


def _places(admin: AdminClient, names: set[str]) -> list[TopicPartition]:
    standing = admin.list_topics(timeout=TIMEOUT_S).topics
    return [TopicPartition(name, number) for name in names & standing.keys() for number in standing[name].partitions]


def _unread(settings: Settings, names: set[str], positions: Mapping[Partition, int]) -> dict[Partition, Waiting]:
    behind = _settled(settings, names, positions)
    moments = _moments(settings, {partition: at for partition, (at, _) in behind.items()}) if behind else {}
    return {partition: Waiting(count, moments.get(partition)) for partition, (_, count) in behind.items()}


def _settled(
    settings: Settings, names: set[str], positions: Mapping[Partition, int]
) -> dict[Partition, tuple[int, int]]:
    """What `_behind` returns; a topic made a moment ago has no leader yet, so it is asked again for a while."""
    deadline = clock.monotonic() + TIMEOUT_S
    while True:
        try:
            return _behind(settings, names, positions)
        except KafkaException as error:
            if clock.monotonic() > deadline:
                raise Unavailable("the broker does not answer") from error
            time.sleep(AGAIN_S)


def _behind(
    settings: Settings, names: set[str], positions: Mapping[Partition, int]
) -> dict[Partition, tuple[int, int]]:
    """For each partition that is not read to its end: the position and how many offsets lie behind it."""
    admin = AdminClient(client(settings))
    places = _places(admin, names)
    first, last = (_offsets(admin, places, spec) for spec in (OffsetSpec.earliest(), OffsetSpec.latest()))
    at = {place: max(first[place], positions.get(place, 0)) for place in last}
    return {place: (at[place], last[place] - at[place]) for place in last if last[place] > at[place]}


def _offsets(
    admin: AdminClient,
    places: list[TopicPartition],
    spec: OffsetSpec,
    isolation: IsolationLevel = IsolationLevel.READ_COMMITTED,
) -> dict[Partition, int]:
    if not places:
        return {}
    asked = dict.fromkeys(places, spec)
    answers = admin.list_offsets(asked, isolation_level=isolation, request_timeout=TIMEOUT_S)
    return {(place.topic, place.partition): future.result().offset for place, future in answers.items()}


def _moments(settings: Settings, positions: Mapping[Partition, int]) -> dict[Partition, datetime | None]:
    """The time of the first event behind each position, as far as they are found quickly."""
    config = {
        "group.id": "ecluse-lag",
        "isolation.level": "read_committed",
        "enable.auto.commit": False,
        "enable.partition.eof": True,
        "fetch.wait.max.ms": 20,
    }
    consumer = Consumer(client(settings) | config)
    seen: dict[Partition, datetime | None] = {}
    try:
        consumer.assign([TopicPartition(topic, number, at) for (topic, number), at in positions.items()])
        deadline = clock.monotonic() + LOOK_S
        while len(seen) < len(positions) and (left_s := deadline - clock.monotonic()) > 0:
            message = consumer.poll(left_s)
            if message is not None:
                place, offset = envelope.place(message)
                known = message.error() is None
                seen.setdefault(place, envelope.of_message(message, place, offset).event.time if known else None)
    except KafkaException:
        # The number of events is known; how old they are is left open.
        return {}
    finally:
        consumer.close()
    return seen

"""What topics still tell of events that a restore of the store undid.

Enters: the topics of last states, and the epochs that the store has lived through. Leaves: events that tell each such
resource as it stands now, under the present epoch, which wins over every version of an earlier one; what the store
does not have any more is told as erased. The last state of a resource is enough: where that was not undone, nothing
before it counts.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any

from confluent_kafka import OFFSET_BEGINNING, Consumer, KafkaError, KafkaException, TopicPartition

from ecluse.bus import envelope, snapshot
from ecluse.bus.broker import client
from ecluse.bus.epoch import Lives
from ecluse.bus.event import UNDONE, Event
from ecluse.bus.outbox import Sent
from ecluse.bus.topics import Topics
from ecluse.core import clock
from ecluse.core.errors import Unavailable
from ecluse.core.fhir import types
from ecluse.core.settings import Settings

CALL_S = 10.0
END = KafkaError._PARTITION_EOF  # noqa: SLF001 - the library's own name
REASON = "restored"


def told(settings: Settings, topics: Topics, lives: Lives) -> list[Event]:
    """The last states that were undone, read from the broker; blocks until the topics are read to their ends.

    Raises: Unavailable (503) when the broker is away
    """
    found: dict[str, Event] = {}
    try:
        for event in _states(settings, topics):
            if lives.undone(event):
                found[event.key] = event
            else:
                found.pop(event.key, None)
    except KafkaException as error:
        raise Unavailable(f"Kafka: {error.args[0]}") from error
    return list(found.values())


async def as_they_stand(store: Any, ahead: Sequence[Event]) -> list[Sent]:
    """What is to be sent of them. store: the store's database"""
    events = await snapshot.by_key(store, [(event.site, event.type, event.id) for event in ahead], REASON)
    standing = {event.key: event for event in events}
    return [Sent(standing.get(event.key) or _erased(event), True, event.patient) for event in ahead]


def _erased(event: Event) -> Event:
    """Under the epoch that is over: when the id is used again, version 1 of the present one is newer."""
    return Event(
        site=event.site,
        type=event.type,
        id=event.id,
        version=event.version,
        epoch=event.epoch,
        seq=0,
        op="erased",
        time=clock.now(),
        patient=event.patient,
        reason=UNDONE,
    )


def _states(settings: Settings, topics: Topics) -> Iterator[Event]:
    """Every record of the topics of last states, those of one resource in their order."""
    consumer = Consumer(
        client(settings)
        | {
            "group.id": f"{settings.kafka_prefix}ecluse-undone",
            "isolation.level": "read_committed",
            "enable.auto.commit": False,
            "enable.partition.eof": True,
        }
    )
    try:
        standing = consumer.list_topics(timeout=CALL_S).topics
        names = [topics.state(kind) for kind in types.number_of if topics.state(kind) in standing]
        left = {(name, number) for name in names for number in standing[name].partitions}
        consumer.assign([TopicPartition(*partition, OFFSET_BEGINNING) for partition in left])
        while left:
            message = consumer.poll(CALL_S)
            if message is None:
                raise Unavailable("the broker does not answer")
            error = message.error()
            partition, offset = envelope.place(message)
            if error is None:
                yield envelope.of_message(message, partition, offset).event
            elif error.code() == END:
                left.discard(partition)
            else:
                raise Unavailable(f"Kafka: {error}")
    finally:
        consumer.close()

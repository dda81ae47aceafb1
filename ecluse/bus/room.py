"""How much history may be sent: as much as the consumers that are up are about to take.

Enters: the groups of the consumers, and how long the brokers took. Leaves: whether the next part of history may go. In
a topic a record waits for all that stand before it, so what is live can overtake history in the outbox alone, and
history waits there until nobody who reads is behind. A consumer that is down is not waited for; one that hangs slows
history and does not stop it.
"""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from typing import Any

from confluent_kafka import (
    ConsumerGroupState,
    ConsumerGroupTopicPartitions,
    IsolationLevel,
    KafkaException,
    TopicPartition,
)
from confluent_kafka.admin import AdminClient
from confluent_kafka.admin import OffsetSpec as _OffsetSpec  # type: ignore[attr-defined]

from ecluse.bus.broker import client
from ecluse.bus.log import Partition
from ecluse.bus.pace import AIM_S, Pace
from ecluse.core import clock
from ecluse.core.log import Log
from ecluse.core.settings import Settings

AGAIN_S = 0.1
"""The broker is asked no more often, though live events wake the relay in between."""
PATIENCE_S = 10.0
"""For so long history waits for a consumer that does not come nearer; then the next part is sent all the same."""
CALL_S = 5.0
# The library exports the class without types.
OffsetSpec: Any = _OffsetSpec
log = Log("relay")


class Room:
    """What the relay knows of the consumers behind it."""

    def __init__(self, settings: Settings, groups: Sequence[str]) -> None:
        """groups: names of the consumers; none: history is not held back"""
        self._settings = settings
        self._groups = {f"{settings.kafka_prefix}{name}" for name in groups}
        self._sent_at = self._looked_at = 0.0
        self._sent, self._sending_s = 0, 0.0
        self._waited = False
        self._pace = Pace()
        self._admin: AdminClient | None = None

    @property
    def limited(self) -> bool:
        """Whether there is anybody to wait for."""
        return bool(self._groups)

    @property
    def part(self) -> int:
        """How many events of history are sent at once, and may wait for a consumer when more are sent."""
        return self._pace.events

    def sent(self, events: int, seconds: float) -> None:
        """A part of history was sent, in so many seconds: the next one may go when `free` says so."""
        self._sent_at, self._waited = clock.monotonic(), False
        self._sent, self._sending_s = events, seconds

    async def free(self) -> bool:
        """Whether the consumers that are up have come near to what was sent, or were waited for long enough."""
        now = clock.monotonic()
        taken_s = now - self._sent_at
        if taken_s > PATIENCE_S:
            return True
        if now - self._looked_at < AGAIN_S:
            return False
        self._looked_at = now
        try:
            near = await asyncio.to_thread(self._farthest) <= self.part
            if near:
                self._learn(taken_s)
            self._waited = not near
            return near
        except KafkaException as error:
            log.info("history waits, the broker does not say how far consumers are", reason=str(error.args[0]))
            return False

    def _learn(self, taken_s: float) -> None:
        """From the slower of the consumers and the brokers, who hold live events up alike.

        taken_s: from when the part was sent until the consumers were near"""
        slowest_s = max(self._sending_s, taken_s if self._waited else 0)
        if self._waited or slowest_s > AIM_S:
            self._pace.took(self._sent, slowest_s)
        else:
            self._pace.idled()

    def _farthest(self) -> int:
        """How many records the consumer that is up and farthest behind has not taken."""
        # Not `or`: a client's length is that of its queue, so an idle one counts as false.
        if self._admin is None:
            self._admin = AdminClient(client(self._settings))
        up = self._admin.list_consumer_groups(states={ConsumerGroupState.STABLE}, request_timeout=CALL_S).result()
        positions = [self._taken(group.group_id) for group in up.valid if group.group_id in self._groups]
        ends = self._ends({place for taken in positions for place in taken})
        behind = [sum(max(0, ends[place] - at) for place, at in taken.items() if place in ends) for taken in positions]
        return max(behind, default=0)

    def _taken(self, group: str) -> dict[Partition, int]:
        assert self._admin is not None
        asked = [ConsumerGroupTopicPartitions(group)]
        told = self._admin.list_consumer_group_offsets(asked, request_timeout=CALL_S)[group].result()
        return {(one.topic, one.partition): one.offset for one in told.topic_partitions if one.offset >= 0}

    def _ends(self, places: set[Partition]) -> dict[Partition, int]:
        assert self._admin is not None
        if not places:
            return {}
        asked = {TopicPartition(*place): OffsetSpec.latest() for place in places}
        told = self._admin.list_offsets(asked, isolation_level=IsolationLevel.READ_COMMITTED, request_timeout=CALL_S)
        return {(place.topic, place.partition): future.result().offset for place, future in told.items()}

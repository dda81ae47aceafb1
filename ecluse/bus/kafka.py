"""The Kafka log: one member of a consumer group.

Enters: topics, and positions that the consumer's own database holds. Leaves: batches of records. All calls of the
library run in one thread, so that the event loop is never blocked. The classic protocol with the range assignor keeps
equal partition numbers of all topics with one member. Whenever partitions change hands everything polled before is
void: the new owner begins where the database says.
"""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import Any

from confluent_kafka import OFFSET_BEGINNING, Consumer, KafkaError, KafkaException, Message, TopicPartition

from ecluse.bus import envelope
from ecluse.bus.broker import Broker, client, layout
from ecluse.bus.log import UNPLACED, Batch, Claim, Partition, Record
from ecluse.bus.topics import Topics
from ecluse.core import clock
from ecluse.core.errors import Unavailable
from ecluse.core.log import Log
from ecluse.core.settings import Settings

log = Log("bus.kafka")
AT_ONCE = 2000
"""Records of one look: what a consumer takes at once, since a batch costs its statements however few are in it."""
CALL_S = 0.2
LINGER_S = 0.02
CLAIM_S = 60.0
LONGEST_BATCH_S = 600
SILENT_S = 10
"""A member that says nothing for so long has left the group; until then nobody gets its partitions."""
MOST_FETCHED = 1024 * 1024
"""Of all partitions at once, as they are compressed: the library's own 50 MB are 300 when they are unpacked."""
END = KafkaError._PARTITION_EOF  # noqa: SLF001 - the library's own name, as the next two
AWAY = (KafkaError._ALL_BROKERS_DOWN, KafkaError._TRANSPORT, KafkaError.UNKNOWN_TOPIC_OR_PART)  # noqa: SLF001


class KafkaLog:
    """One consumer's view of the topics of its resource types."""

    def __init__(
        self, settings: Settings, store: Any, name: str, resource_types: Sequence[str], *, states: bool = False
    ) -> None:
        """store: the store's database, which holds the number of partitions; name: the consumer and its group; states:
        the topics of last states, not those of events"""
        self._settings = settings
        self._store = store
        self._name = name
        self._types = resource_types
        self._states = states
        self._thread = ThreadPoolExecutor(1, "kafka")
        self._waiting: deque[Message] = deque()
        self._assignment = 0
        self._consumer: Any = None

    async def open(self, claim: Claim) -> None:
        """Joins the group; positions are claimed whenever it gives out partitions.

        Raises: Unavailable (503) when the broker is away
        """
        topics = await layout(self._settings, self._store)
        await Broker(self._settings, self._store, topics).ensure(self._types)
        loop = asyncio.get_running_loop()

        def claimed(partitions: Sequence[Partition]) -> Mapping[Partition, int]:
            async def ask() -> Mapping[Partition, int]:
                return await claim(partitions)

            return asyncio.run_coroutine_threadsafe(ask(), loop).result(CLAIM_S)

        await self._blocking(self._join, topics, claimed)

    async def poll(self, max_events: int, max_bytes: int, timeout_s: float) -> Batch:
        """The next records; empty when none came in time."""
        deadline = clock.monotonic() + timeout_s
        while True:
            if not self._waiting:
                await self._blocking(self._fetch, CALL_S)
            batch = self._take(max_events, max_bytes)
            if batch.positions or clock.monotonic() >= deadline:
                return batch

    def holds(self, batch: Batch) -> bool:
        """False when partitions have changed hands since the batch was polled."""
        return batch.assignment in (UNPLACED, self._assignment)

    async def rest(self, delay_s: float) -> None:
        """Waits and stays a member: the group is answered, no record is read."""
        if self._consumer is None:
            await asyncio.sleep(delay_s)
            return
        deadline = clock.monotonic() + delay_s
        while (left_s := deadline - clock.monotonic()) > 0:
            await self._blocking(self._stay, min(left_s, CALL_S))

    async def commit(self, positions: Mapping[Partition, int]) -> None:
        """Tells the broker, for the tools that show lag."""
        if positions:
            await self._blocking(self._commit, dict(positions))

    async def close(self) -> None:
        """Leaves the group."""
        if self._consumer is not None:
            await self._blocking(self._consumer.close)
            self._consumer = None
        self._thread.shutdown(wait=False)

    async def _blocking(self, call: Any, *values: Any) -> Any:
        return await asyncio.get_running_loop().run_in_executor(self._thread, call, *values)

    def _take(self, max_events: int, max_bytes: int) -> Batch:
        """What was fetched, as far as the bounds allow; bodies elsewhere count with their size."""
        records: list[Record] = []
        positions: dict[Partition, int] = {}
        while self._waiting and len(records) < max_events and max_bytes > 0:
            message = self._waiting.popleft()
            partition, offset = envelope.place(message)
            if message.error() is not None:
                # The end of a partition lies behind the marker of a transaction, which no record carries.
                positions[partition] = offset
                continue
            record = envelope.of_message(message, partition, offset)
            records.append(record)
            positions[partition] = offset + 1
            max_bytes -= len(record.event.body or b"") + (record.reference.bytes if record.reference else 0)
        return Batch(records, positions, self._assignment)

    def _join(self, topics: Topics, claimed: Callable[[Sequence[Partition]], Mapping[Partition, int]]) -> None:
        self._consumer = Consumer(
            client(self._settings)
            | {
                "group.id": f"{self._settings.kafka_prefix}{self._name}",
                "group.protocol": "classic",
                "partition.assignment.strategy": "range",
                "isolation.level": "read_committed",
                "auto.offset.reset": "earliest",
                "enable.auto.commit": False,
                "enable.auto.offset.store": False,
                "enable.partition.eof": True,
                "allow.auto.create.topics": False,
                "session.timeout.ms": SILENT_S * 1000,
                "max.poll.interval.ms": LONGEST_BATCH_S * 1000,
                "queued.max.messages.kbytes": 16 * 1024,
                "fetch.max.bytes": MOST_FETCHED,
                "fetch.wait.max.ms": 50,
                "topic.metadata.refresh.interval.ms": 5_000,
            }
        )

        def assigned(consumer: Any, partitions: list[TopicPartition]) -> None:
            self._forget()
            stored = claimed([(given.topic, given.partition) for given in partitions])
            for given in partitions:
                given.offset = stored.get((given.topic, given.partition), OFFSET_BEGINNING)
            consumer.assign(partitions)
            log.info("partitions assigned", consumer=self._name, count=len(partitions))

        def revoked(consumer: Any, _: list[TopicPartition]) -> None:
            self._forget()
            consumer.unassign()

        names = [topics.state(kind) if self._states else topics.events(kind) for kind in self._types]
        self._consumer.subscribe(names, on_assign=assigned, on_revoke=revoked, on_lost=revoked)

    def _forget(self) -> None:
        self._assignment += 1
        self._waiting.clear()

    def _fetch(self, timeout_s: float) -> None:
        assignment = self._assignment
        try:
            # consume() waits until it has as many as it was asked for. A record that comes alone must not wait; where
            # one was there already more are on their way, and a larger batch is worth the wait.
            first = self._consumer.poll(0)
            linger_s = LINGER_S if first is not None else 0
            if first is None:  # not `or`: a message without a value, a delete, has length 0 and is falsy
                first = self._consumer.poll(timeout_s)
            messages = [first, *self._consumer.consume(AT_ONCE, linger_s)] if first is not None else []
        except KafkaException as error:
            raise Unavailable(f"Kafka: {error.args[0]}") from error
        if assignment != self._assignment:
            # Fetched on both sides of a change of hands; the claimed positions bring them again.
            self._rewind(messages)
            return
        self._keep(messages)

    def _keep(self, messages: Sequence[Message]) -> None:
        for message in messages:
            error = message.error()
            if error is None or error.code() == END:
                self._waiting.append(message)
            elif error.code() not in AWAY:
                raise Unavailable(f"Kafka: {error}")

    def _rewind(self, messages: Sequence[Message]) -> None:
        first: dict[Partition, int] = {}
        for message in messages:
            error = message.error()
            if error is None or error.code() == END:
                partition, offset = envelope.place(message)
                first.setdefault(partition, offset)
        for given in self._consumer.assignment():
            if (given.topic, given.partition) in first:
                self._consumer.seek(TopicPartition(given.topic, given.partition, first[given.topic, given.partition]))

    def _stay(self, timeout_s: float) -> None:
        assignment = self._consumer.assignment()
        self._consumer.pause(assignment)
        message = self._consumer.poll(timeout_s)
        if message is not None:
            self._rewind([message])
        self._consumer.resume(self._consumer.assignment())

    def _commit(self, positions: dict[Partition, int]) -> None:
        offsets = [TopicPartition(topic, partition, offset) for (topic, partition), offset in positions.items()]
        try:
            self._consumer.commit(offsets=offsets, asynchronous=True)
        except KafkaException as error:
            log.info("position not told to the broker", consumer=self._name, reason=str(error.args[0]))

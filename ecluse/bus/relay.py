"""The relay: ships the outbox to Kafka, in order, at least once.

Enters: the outbox. Leaves: one record for each event in its type's topic, and one for the resource's state in the
compacted topic, both in one Kafka transaction a batch; then the cursor moves. A batch whose cursor did not move is
sent again: consumers drop what they have. There is one relay: a lease in the database chooses it, Kafka fences the
one before by the transactional id.

History is sent a part at a time, when the consumers that are up are near (room.py): what is live overtakes it here, and
could not in a topic.

State records are sent for the store's present version only. An older version's event is followed by that of the newer
one, which carries the state; so the last state record of a resource is never an older version.

A restore of the store leaves the topics ahead of it. The first relay after that puts them right before it sends what
is new (undone.py).
"""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import Any, NamedTuple

from confluent_kafka import KafkaException, Producer

from ecluse.bus import envelope, epoch, partitions, undone
from ecluse.bus.backoff import Backoff, pause, transient
from ecluse.bus.broker import Broker, client, layout
from ecluse.bus.durations import Stages
from ecluse.bus.envelope import Outgoing
from ecluse.bus.event import LANES
from ecluse.bus.lease import FENCED, SQL, Lease
from ecluse.bus.outbox import Sent, Tail
from ecluse.bus.pace import Pace
from ecluse.bus.room import AGAIN_S, Room
from ecluse.bus.topics import Topics
from ecluse.bus.wakeup import POLL_S, Wakeup
from ecluse.core import clock, tracing
from ecluse.core.db.databases import open_databases
from ecluse.core.errors import Fenced, Unavailable
from ecluse.core.log import Log
from ecluse.core.settings import Settings

log = Log("relay")
MAX_EVENTS = 30_000
"""A transaction leaves a mark in each partition that it wrote to, and a request of Kafka's carries one partition: of a
backlog, large ones cost relay and broker a third less than those of 10,000."""
FEW_EVENTS, BEGIN_EVENTS = 1000, 10_000
AIM_S = 2.0
"""What a transaction may take: brokers that are slow get smaller ones, long before `TRANSACTION_S`."""
MAX_BYTES = 48 * 1024 * 1024
TRANSACTION_S = 60
LINGER_MS = 500
"""Records wait for more of their partition; the end of a transaction sends whatever waits."""
POLL_EVERY = 100
CALL_S = 10.0


class Read(NamedTuple):
    """Events in order, the number up to which each lane is read with them, and whether more are known to follow."""

    sent: list[Sent]
    at: list[int]
    more: bool


class Relay:
    """One relay in one process."""

    def __init__(self, settings: Settings, store: Any, groups: Sequence[str] = ()) -> None:
        """store: the store's database; groups: names of the consumers that history must not bury."""
        self._settings = settings
        self._store = store
        self._lease = Lease(store)
        self._tail = Tail(store)
        self._wakeup = Wakeup(store)
        self._room = Room(settings, groups)
        self._pace = Pace(AIM_S, least=FEW_EVENTS, begin=BEGIN_EVENTS, most=MAX_EVENTS)
        self._held = False
        self._stored: dict[int, int] = {}
        self._epoch = 0
        self._backoff = Backoff()
        self._stages = Stages("")
        self._thread = ThreadPoolExecutor(1, "relay")

    async def run(self, stop: asyncio.Event) -> None:
        """Relays until `stop` is set; waits first while another process relays.

        Raises: Fenced (503) when another process has taken over
        """
        async with self._store.acquire() as conn:
            if not await self._lease.take(conn, stop):
                return
            log.info("relay begins", status=self._lease.generation)
            self._epoch = await epoch.settle(conn)
            tasks = [asyncio.ensure_future(work) for work in (self._lease.keep(), self._ship(stop))]
            try:
                done, _ = await asyncio.wait(tasks, return_when=asyncio.FIRST_COMPLETED)
                for task in done:
                    task.result()
            finally:
                for task in tasks:
                    task.cancel()
                await asyncio.gather(*tasks, return_exceptions=True)
                await self._wakeup.close()
                self._thread.shutdown(wait=False, cancel_futures=True)

    async def _ship(self, stop: asyncio.Event) -> None:
        """Sends until `stop` is set; begins again from the cursor whenever Kafka was away."""
        topics = await layout(self._settings, self._store)
        broker = Broker(self._settings, self._store, topics)
        while not stop.is_set():
            try:
                await self._session(topics, broker, stop)
            except Unavailable as error:
                # A coordinator that gave up on us looks like a fence; the lease says whether there is another relay.
                await self._lease.check()
                broker.forget()
                delay_s = self._backoff.next_s()
                facts = {"attempt": self._backoff.attempt, "delay_s": round(delay_s, 2)}
                log.warning("relay waits for Kafka", reason=str(error), **facts)
                await pause(stop, delay_s)

    async def _session(self, topics: Topics, broker: Broker, stop: asyncio.Event) -> None:
        producer = await self._blocking(_open, self._settings)
        try:
            rows = await self._store.fetch(SQL["cursor"])
            await self._put_right(producer, topics)
            self._stored = {row["lane"]: row["seq"] for row in rows}
            self._tail.seek([self._stored.get(lane, 0) for lane in range(len(LANES))])
            await self._send(producer, topics, broker, stop)
        finally:
            await self._blocking(_close, producer)

    async def _send(self, producer: Producer, topics: Topics, broker: Broker, stop: asyncio.Event) -> None:
        """What comes, batch by batch; of a backlog the next one is read while one is sent."""
        ahead: asyncio.Task[Read] | None = None
        try:
            while not stop.is_set():
                sent, at, more = await (ahead or self._read())
                ahead = asyncio.create_task(self._read()) if more else None
                if sent:
                    await broker.ensure({item.event.type for item in sent})
                    began = clock.monotonic()
                    with tracing.sending("relay send", (item.event.traceparent for item in sent)):
                        await self._blocking(_publish, producer, sent, topics, self._settings.url)
                    self._learn(sent, clock.monotonic() - began)
                    self._backoff.reset()
                    self._stages.reached("relayed", (item.event for item in sent), clock.now())
                await self._advance(at)
                await self._stages.store(self._store)
                if not sent:
                    await self._wakeup.wait(AGAIN_S if self._held else POLL_S)
        finally:
            if ahead is not None:
                ahead.cancel()
                await asyncio.gather(ahead, return_exceptions=True)

    async def _read(self) -> Read:
        """The next events; after a part of history only live ones, until its consumers are near."""
        self._held = self._held and not await self._room.free()
        most = 0 if self._held else self._room.part if self._room.limited else None
        sent = await self._tail.read(self._pace.events, MAX_BYTES, most)
        if self._room.limited and _history(sent):
            self._held = True
        return Read(sent, list(self._tail.at), bool(sent) and not self._held and self._tail.behind)

    def _learn(self, sent: Sequence[Sent], seconds: float) -> None:
        """From a batch that was sent in so many seconds; a small one says nothing of how quick a large one would be."""
        if len(sent) >= self._pace.events or seconds > AIM_S:
            self._pace.took(len(sent), seconds)
        if self._held and (history := _history(sent)):
            self._room.sent(history, seconds)

    async def _put_right(self, producer: Producer, topics: Topics) -> None:
        """Sends again, as it stands, whatever the topics have of events that a restore undid."""
        if await self._store.fetchval(SQL["epoch"]) == self._epoch:
            return
        async with self._store.acquire() as conn:
            lives = await epoch.lives(conn)
        ahead = await self._blocking(undone.told, self._settings, topics, lives)
        for start in range(0, len(ahead), MAX_EVENTS):
            sent = await undone.as_they_stand(self._store, ahead[start : start + MAX_EVENTS])
            await self._blocking(_publish, producer, sent, topics, self._settings.url)
        log.info("topics are put right after a restore", count=len(ahead))
        if await self._store.fetchval(SQL["put_right"], self._lease.generation, self._epoch) is None:
            raise Fenced(FENCED)

    async def _advance(self, at: Sequence[int]) -> None:
        moved = [(lane, seq) for lane, seq in enumerate(at) if self._stored.get(lane) != seq]
        for lane, seq in moved:
            if await self._store.fetchval(SQL["advance"], self._lease.generation, lane, seq) is None:
                raise Fenced(FENCED)
            self._stored[lane] = seq

    async def _blocking(self, call: Any, *values: Any) -> Any:
        return await asyncio.get_running_loop().run_in_executor(self._thread, call, *values)


async def run_relay(settings: Settings, stop: asyncio.Event, groups: Sequence[str]) -> None:
    """Relays until `stop` is set, through every failure that passes by itself.

    groups: names of the consumers that history must not bury

    Raises: Fenced (503) when another relay has taken over
    """
    backoff = Backoff()
    while not stop.is_set():
        try:
            async with open_databases(settings) as databases:
                upkeep = asyncio.create_task(partitions.keep(databases.store, stop, partitions.limits_of(settings)))
                try:
                    await Relay(settings, databases.store, groups).run(stop)
                finally:
                    upkeep.cancel()
        except Exception as error:
            if isinstance(error, Fenced) or not transient(error):
                raise
            log.warning("relay begins again", error=type(error).__name__, attempt=backoff.attempt)
            await pause(stop, backoff.next_s())


def _history(sent: Sequence[Sent]) -> int:
    """How many of these events are history."""
    return sum(item.event.lane == "bulk" for item in sent)


def records(sent: Sequence[Sent], topics: Topics, url: str) -> Iterator[Outgoing]:
    """What is sent for these events, in order: the event, the former patient's notice, the state."""
    for item in sent:
        outgoing = envelope.encode(item.event, topics, url)
        yield outgoing
        if item.former_patient not in (None, item.event.patient):
            yield envelope.encode(envelope.moved(item.event, item.former_patient), topics, url)
        if item.current:
            yield envelope.state(outgoing, item.event, topics)


def _open(settings: Settings) -> Producer:
    producer = Producer(
        client(settings)
        | {
            "transactional.id": f"{settings.kafka_prefix}ecluse-relay",
            "transaction.timeout.ms": TRANSACTION_S * 1000,
            "acks": "all",
            "compression.type": "lz4",
            "linger.ms": LINGER_MS,
            "batch.size": 512 * 1024,
            "delivery.report.only.error": True,
            "queue.buffering.max.messages": 3 * MAX_EVENTS + 1000,
        }
    )
    with _kafka():
        producer.init_transactions(CALL_S)
    return producer


def _publish(producer: Producer, sent: Sequence[Sent], topics: Topics, url: str) -> None:
    """Sends the records of one transaction; one that a broker refuses makes the whole of it fail.

    Raises: Unavailable (503) with the reason"""
    with _kafka():
        producer.begin_transaction()
        for number, (topic, partition, key, value, headers) in enumerate(records(sent, topics, url)):
            producer.produce(topic, value, key, partition, headers=dict(headers))
            if number % POLL_EVERY == 0:
                producer.poll(0)
        producer.commit_transaction(TRANSACTION_S)


def _close(producer: Producer) -> None:
    # What is still queued belongs to a transaction that was not committed; it is sent again.
    producer.purge(in_queue=True, in_flight=True, blocking=False)
    with contextlib.suppress(KafkaException):
        producer.abort_transaction(1)


@contextlib.contextmanager
def _kafka() -> Iterator[None]:
    try:
        yield
    except (KafkaException, BufferError) as error:
        raise Unavailable(f"Kafka: {error.args[0]}") from error

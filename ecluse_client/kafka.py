"""Events from Kafka: a member of a consumer group, as an async iterator.

Enters: resource types, a group, the broker. Leaves: events, at least once, in order for each resource and each patient
within a type. What the loop's body has finished with is told to the broker when it asks for the next event; what it has
not comes again after a restart.
"""

from __future__ import annotations

import asyncio
import hashlib
import logging
from collections.abc import AsyncIterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from dataclasses import replace
from typing import Any

import httpx
from confluent_kafka import Consumer, KafkaError, KafkaException

from ecluse_client.event import Event, Reference, Unreadable, of_record

log = logging.getLogger("ecluse_client")
POLL_S = 0.2
COMMITTED_MS = 1000
RETRY_S = 1.0
SILENT_MS = 10_000
"""A member that was killed is given up after so long, and others get its partitions."""
AWAITED = "There is no topic %s yet; it comes with the first resource of its type. Is the type spelt as FHIR has it?"
SLOWEST_MS = 3_600_000
"""An event whose handling takes longer comes again."""
LATE = (
    KafkaError._ALL_BROKERS_DOWN,  # noqa: SLF001
    KafkaError._TRANSPORT,  # noqa: SLF001
    KafkaError._MAX_POLL_EXCEEDED,  # noqa: SLF001
    KafkaError.UNKNOWN_TOPIC_OR_PART,
)
"""Errors that pass by themselves: a broker that is away, a topic that nobody has written to yet, a loop's body or a
server that took so long that the group went on without this member, which the next poll joins to it again."""


async def subscribe(
    *types: str,
    group: str,
    bootstrap: str = "127.0.0.1:9092",
    prefix: str = "",
    start: str = "earliest",
    settings: Mapping[str, Any] | None = None,
    http: httpx.AsyncClient | None = None,
) -> AsyncIterator[Event]:
    """Events of these resource types, one after the other, for as long as the loop goes on.

    group: whose members share the events among them; prefix: of the topics (ECLUSE_KAFKA_PREFIX); start: `earliest` or
    `latest`, where a group begins that was never here; settings: further ones of librdkafka (SASL, TLS); http: for
    bodies above 900 kB, which stand at the server (give one with your credentials)
    Raises: Unreadable at a record that is not of the contract; KafkaException when the broker refuses
    """
    if not types:
        raise TypeError("name a resource type, like subscribe('Observation', group='icu')")
    given = {
        "group.id": group,
        "bootstrap.servers": bootstrap,
        "auto.offset.reset": start,
        "isolation.level": "read_committed",
        "enable.auto.offset.store": False,
        "auto.commit.interval.ms": COMMITTED_MS,
        "session.timeout.ms": SILENT_MS,
        "max.poll.interval.ms": SLOWEST_MS,
        "allow.auto.create.topics": False,
        "topic.metadata.refresh.interval.ms": 5000,
        "reconnect.backoff.ms": 500,  # each try of a broker that is away is a line on stderr
        "reconnect.backoff.max.ms": 2000,
        **(settings or {}),
    }
    # The library blocks; one thread of its own keeps the event loop free.
    with ThreadPoolExecutor(1, "ecluse-client") as thread:
        async with _Bodies(http) as bodies:
            member = _Member(Consumer(given), thread)
            try:
                await member.call(member.consumer.subscribe, [f"{prefix}fhir.{one.lower()}.v1" for one in types])
                while True:
                    message = await member.next()
                    yield await bodies.whole(*_read(message))
                    await member.call(member.done, message)
            finally:
                await member.call(member.consumer.close)  # tells the broker what is done


def _read(message: Any) -> tuple[Event, Reference | None]:
    place = f"{message.topic()}/{message.partition()}/{message.offset()}"
    return of_record(place, message.key(), message.value(), dict(message.headers() or ()))


class _Member:
    def __init__(self, consumer: Any, thread: ThreadPoolExecutor) -> None:
        self.consumer, self._thread = consumer, thread
        self._awaited: set[str] = set()

    async def call(self, function: Any, *values: Any) -> Any:
        return await asyncio.get_running_loop().run_in_executor(self._thread, function, *values)

    async def next(self) -> Any:
        while True:
            message = await self.call(self.consumer.poll, POLL_S)
            if message is None:  # not `not message`: one without a value, a delete, has the length 0
                continue
            error = message.error()
            if error is None:
                return message
            if error.code() not in LATE:
                raise KafkaException(error)
            if error.code() == KafkaError.UNKNOWN_TOPIC_OR_PART and message.topic() not in self._awaited:
                self._awaited.add(message.topic())
                log.warning(AWAITED, message.topic())

    def done(self, message: Any) -> None:
        """The next commit tells it. A partition that went to another member meanwhile is that one's to tell."""
        with suppress(KafkaException):
            self.consumer.store_offsets(message)


class _Bodies:
    """Fetches what was too large for a record, and checks it."""

    def __init__(self, given: httpx.AsyncClient | None) -> None:
        self._given, self._own = given, httpx.AsyncClient(timeout=60) if given is None else None

    async def __aenter__(self) -> _Bodies:
        return self

    async def __aexit__(self, *_: object) -> None:
        if self._own is not None:
            await self._own.aclose()

    async def whole(self, event: Event, reference: Reference | None) -> Event:
        """The event with its body. A server that is away is waited for; a version that was erased meanwhile has no
        body any more, and its `erased` event follows.

        Raises: Unreadable when another body stands there"""
        if reference is None:
            return event
        while (answer := await self._asked(reference.url)) is None:
            await asyncio.sleep(RETRY_S)
        if answer.status_code in (404, 410):
            return event
        if hashlib.sha256(answer.content).hexdigest() != reference.sha256:
            raise Unreadable(reference.url, "what stands there has another hash than what was sent")
        return replace(event, body=answer.content)

    async def _asked(self, url: str) -> httpx.Response | None:
        """The answer, None when another one is to be waited for. Raises: httpx.HTTPStatusError when it is refused"""
        client = self._given or self._own
        assert client is not None
        try:
            answer = await client.get(url, headers={"Accept": "application/fhir+json"})
        except httpx.TransportError:
            return None
        if answer.status_code in (404, 410):
            return answer
        if answer.status_code >= 500 or answer.status_code == 429:
            return None
        return answer.raise_for_status()

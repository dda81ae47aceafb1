"""A project's feed on its Kafka topic.

Enters: rows of the feed, in order. Leaves: the same sealed records on `hub.<project>.v1`, under the same keyed hashes,
at least once; then the cursor, in the feed's database. What was sent without the cursor having moved is sent again,
from there on and in order, so the last record of each key is the newest; the header `ecluse-seq` tells it too. The
topic is compacted. A notice is a sealed record, never null: compaction keeps it, and who reads late learns as well that
the resource is gone.
"""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import Any

from confluent_kafka import KafkaException, Producer

from consumers.hub import feed
from consumers.hub.feed import Row
from consumers.hub.seal import header_of
from ecluse.bus.backoff import Backoff, pause, transient
from ecluse.bus.broker import Broker, client, layout
from ecluse.bus.topics import Topics
from ecluse.core.db.databases import Databases
from ecluse.core.errors import Unavailable
from ecluse.core.log import Log
from ecluse.core.settings import Settings

log = Log("hub.publish")
AT_ONCE = 500
FLUSH_S = 30.0
LOOK_S = 1.0


class Publisher:
    """Ships one feed; only the process that leads its consumer has one at work."""

    def __init__(self, settings: Settings, databases: Databases, project: str) -> None:
        self._settings = settings
        self._databases = databases
        self._project = project
        self._news = asyncio.Event()
        self._stop = asyncio.Event()
        self._task: asyncio.Task[None] | None = None

    def start(self) -> None:
        """Begins to ship."""
        self._task = asyncio.create_task(self._run())

    def wake(self) -> None:
        """There is something new in the feed.

        Raises: what ended the shipping and will not pass by itself
        """
        if self._task and self._task.done():
            self._task.result()
        self._news.set()

    async def stop(self) -> None:
        """Ships no more; returns when the last batch is through or given up."""
        self._stop.set()
        self._news.set()
        if self._task:
            await self._task

    async def _run(self) -> None:
        """Ships until stopped, and begins again from the cursor after whatever passes by itself."""
        backoff = Backoff()
        with ThreadPoolExecutor(1, "hub") as thread:
            while not self._stop.is_set():
                try:
                    await self._ship(thread, backoff)
                except Exception as error:
                    if not transient(error):
                        log.error("feed is not published", error=type(error).__name__, consumer=f"hub-{self._project}")
                        raise
                    facts = {"attempt": backoff.attempt, "error": type(error).__name__}
                    log.warning("feed waits to be published", consumer=f"hub-{self._project}", **facts)
                    await pause(self._stop, backoff.next_s())

    async def _ship(self, thread: ThreadPoolExecutor, backoff: Backoff) -> None:
        topics = await layout(self._settings, self._databases.store)
        await Broker(self._settings, self._databases.store, topics).ensure_topics([topics.of_project(self._project)])
        loop = asyncio.get_running_loop()
        producer = await loop.run_in_executor(thread, _open, self._settings)
        try:
            while not self._stop.is_set():
                self._news.clear()
                rows = await self._next()
                if rows:
                    await loop.run_in_executor(thread, _publish, producer, rows, topics, self._project)
                    await self._databases.hub.execute(feed.SQL["advance"], self._project, rows[-1].seq)
                    backoff.reset()
                else:
                    await pause(self._news, LOOK_S)
        finally:
            await loop.run_in_executor(thread, _close, producer)

    async def _next(self) -> list[Row]:
        pool = self._databases.hub
        published = await pool.fetchval(feed.SQL["published"], self._project)
        return [Row(*row) for row in await pool.fetch(feed.SQL["records"], self._project, published, AT_ONCE)]


def _open(settings: Settings) -> Producer:
    return Producer(client(settings) | {"enable.idempotence": True, "acks": "all", "linger.ms": 2})


def _publish(producer: Producer, rows: Sequence[Row], topics: Topics, project: str) -> None:
    failed: list[str] = []

    def delivered(error: Any, _: Any) -> None:
        if error is not None:
            failed.append(error.name())

    try:
        for row in rows:
            key = row.key.encode()
            headers: dict[str, str | bytes | None] = {
                "content-type": b"application/jose",
                "ecluse-key-id": str(header_of(row.record)["kid"]).encode(),
                "ecluse-seq": str(row.seq).encode(),
            }
            partition = topics.partition_of_key(key)
            producer.produce(
                topics.hub(project), row.record.encode(), key, partition, on_delivery=delivered, headers=headers
            )
            producer.poll(0)
        left = producer.flush(FLUSH_S)
    except (KafkaException, BufferError) as error:
        raise Unavailable(f"Kafka: {error.args[0]}") from error
    if failed or left:
        raise Unavailable(f"{len(failed) + left} records were not delivered")


def _close(producer: Producer) -> None:
    # What was not delivered is sent again from the cursor; left in the queue it could overtake that.
    producer.purge(in_queue=True, in_flight=True, blocking=False)
    producer.flush(1)

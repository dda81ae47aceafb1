"""The loop of every consumer.

Enters: a log, a sink. Leaves: the sink's rows, its ledger, its offsets and its dead letters, all four by one
transaction.

    1  poll     records, bounded in number and bytes
    2  decode   the newest version of each resource, or each for a sink that asks; a body that was too large for the
                log is fetched
    3  map      person, gate, then the sink's pure function; what cannot be mapped becomes a dead letter
    4  write    offsets, ledger, rows and dead letters in one transaction of the sink's database, in turn with other
                processes of the consumer; what is older than the ledger is left out, and an event that breaks the write
                is found by halving and parked
    5  commit   the position to the log, for the tools that show lag; nothing reads it back
    6  revoke   a batch whose partitions went to another process is dropped: its positions were not stored

What passes by itself (a database, a broker or the server away) is tried again for as long as it lasts; the position
stays.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Sequence
from contextlib import AsyncExitStack, asynccontextmanager
from datetime import datetime
from typing import Any

from msgspec.structs import replace

from consumers import dead_letters, ledger, place, registry, resync
from consumers.dead_letters import Failure, Retrying, Source
from consumers.gate import Gate
from consumers.ledger import UNTOLD, Entry
from consumers.offsets import Offsets
from consumers.persons import Persons
from consumers.prepare import Follow, Prepare, Work, reason, rounds
from consumers.resync import Resync
from consumers.sink import MAPPED, Change, Disposition, Duty, Sink
from ecluse.bus import epoch, outbox, partitions
from ecluse.bus.backoff import Backoff, pause, transient
from ecluse.bus.durations import Stages
from ecluse.bus.embedded import EmbeddedLog
from ecluse.bus.log import Batch, Log, Reference
from ecluse.bus.snapshot import WALKED
from ecluse.core import clock, tracing
from ecluse.core.db import statistics
from ecluse.core.db.databases import Databases, open_databases
from ecluse.core.errors import Fenced, Unmappable
from ecluse.core.log import Log as Logger
from ecluse.core.settings import Settings

MAX_EVENTS = 2000
"""Of one batch, when so many wait: its forty statements are shared by them, and it takes some tenths of a second."""
MAX_BYTES = 8 * 1024 * 1024
POLL_S = 1.0
DUTIES_S = 1.0
CALM_S = 60.0

logger = Logger("consumer")


class Runner:
    """One consumer in one process."""

    def __init__(self, sink: Sink, log: Log, offsets: Offsets, prepare: Prepare, duties: Sequence[Duty] = ()) -> None:
        """prepare: steps 2 and 3 for this sink; duties: what is done between batches, in the process that leads."""
        self._sink = sink
        self._log = log
        self._offsets = offsets
        self._prepare = prepare
        self._duties = duties
        self._backoff = Backoff()
        self._stages = Stages(sink.name)
        self._duties_at = 0.0

    async def run(self, stop: asyncio.Event) -> None:
        """Consumes until `stop` is set.

        Raises: Fenced (503) when another process has taken over
        """
        await self._log.open(self._offsets.claim)
        try:
            while not stop.is_set():
                try:
                    await self._stages.store(self._sink.pool)
                    more = await self._do_duties(stop)
                    batch = await self._log.poll(MAX_EVENTS, MAX_BYTES, 0.0 if more else POLL_S)  # 1
                except Exception as error:
                    await self._rest(error)
                else:
                    await self.take(batch, stop)
        finally:
            await self._log.close()

    async def take(self, batch: Batch, stop: asyncio.Event) -> bool:
        """True once the batch is written, however often that had to be tried; False when stopped or dropped."""
        positions = self._offsets.news(batch.positions)
        if not batch.records and not positions:
            await self._log.commit(batch.positions)
            return True
        came = clock.now()
        while not stop.is_set() and self._log.holds(batch):  # 6
            try:
                with tracing.taking(self._sink.name, (record.event.traceparent for record in batch.records)):
                    await self._write(await self._mapped(batch), positions)
                self._measure(batch, came)
                await self._log.commit(batch.positions)  # 5
                self._backoff.reset()
                return True
            except Exception as error:
                await self._rest(error)
        return False

    def _measure(self, batch: Batch, came: datetime) -> None:
        """How old its events were when they came, and are now that they are written."""
        events = [record.event for record in batch.records]
        self._stages.reached("read", events, came)
        self._stages.reached("written", events, clock.now())

    async def _mapped(self, batch: Batch) -> list[list[Work]]:
        """The work of a batch; of a sink that is given every version, in parts that have one of each resource."""
        with tracing.span("map"):
            parts = rounds(batch.records) if self._sink.every_version else [batch.records]
            return [await self._prepare.all(part) for part in parts]  # 2, 3

    async def _rest(self, error: Exception) -> None:
        """Waits for what passes by itself; raises what does not."""
        if isinstance(error, Fenced) or not transient(error):
            raise error
        delay_s = self._backoff.next_s()
        logger.warning(
            "consumer waits",
            consumer=self._sink.name,
            error=type(error).__name__,
            attempt=self._backoff.attempt,
            delay_s=round(delay_s, 2),
        )
        await self._log.rest(delay_s)

    async def _write(self, parts: Sequence[Sequence[Work]], positions: dict[tuple[str, int], int]) -> None:
        with tracing.span("write"):  # 4
            async with self._sink.pool.acquire() as conn, conn.transaction():
                await self._offsets.turn(conn, several=self._sink.several)
                await self._offsets.advance(conn, positions)
                for work in parts:
                    await self._write_work(conn, work)
            self._offsets.advanced(positions)
            await self._sink.committed()

    async def _write_work(self, conn: Any, work: Sequence[Work]) -> None:
        name = self._sink.name
        booked = [item for item in work if item.entry.event.version]
        if self._sink.every_version:
            accepted = await self._claimed_once(conn, [item.entry for item in booked])
        else:
            accepted = await ledger.claim(conn, name, [item.entry for item in booked])
        current = [item for item in work if not item.entry.event.version or item.entry.key in accepted]
        for item in current:
            item.change.fresh = accepted.get(item.entry.key, False)
        outcomes = await self._isolated(conn, [item for item in current if item.entry.event.version])
        failures = [(item, item.failure) for item in current if item.failure]
        failures += [(item, told) for item, told in outcomes if isinstance(told, str) and not item.failure]
        taken = [(item, told) for item, told in outcomes if isinstance(told, Disposition) and not item.failure]
        await ledger.settle(conn, name, [(item.entry.key, "dead", why) for item, why in failures if not item.failure])
        await dead_letters.heal(conn, name, [item.entry.key for item, _ in taken if not item.change.fresh])
        await dead_letters.park(conn, name, [_failure(item, why) for item, why in failures])
        for item, why in failures:
            logger.warning("dead letter", consumer=name, reason=why, resource_type=item.entry.event.type)

    async def _claimed_once(self, conn: Any, entries: Sequence[Entry]) -> dict[ledger.Key, bool]:
        """The same for a sink that is given every version: none twice, though the log may give a record twice, and
        none left out because a walk through the store has met a later one."""
        fresh = [entry for entry in entries if not entry.event.reason]
        repeated = await ledger.repeated(conn, self._sink.name, fresh)
        known = [_met(entry) if entry.event.reason == WALKED else entry for entry in entries]
        return await ledger.claim(conn, self._sink.name, [entry for entry in known if entry.key not in repeated])

    async def _isolated(self, conn: Any, work: Sequence[Work]) -> list[tuple[Work, Disposition | str]]:
        """What became of each change, or why it alone cannot be written."""
        if not work:
            return []
        try:
            async with conn.transaction():
                told = await self._sink.write(conn, [item.change for item in work])
                taken = list(zip(work, told, strict=True))
                # Settled with the write: a later part of the batch may end the waiting of what stands here.
                await ledger.settle(conn, self._sink.name, _settled(taken))
            return [*taken]
        except Exception as error:
            if isinstance(error, Fenced) or transient(error):
                raise
            why = reason(error)
        if len(work) == 1:
            return [(work[0], await self._without(conn, work[0], why))]
        half = len(work) // 2
        return await self._isolated(conn, work[:half]) + await self._isolated(conn, work[half:])

    async def _without(self, conn: Any, item: Work, why: str) -> str:
        """Why a change cannot be written, after what an earlier version left was removed: order must not matter."""
        if not item.change.remove:
            await self._isolated(
                conn, [item._replace(change=Change(item.change.event, item.change.person, remove=True))]
            )
        return why

    async def _do_duties(self, stop: asyncio.Event) -> bool:
        """A part of each duty; whether there is more to do at once."""
        if clock.monotonic() < self._duties_at:
            return False

        async def take(batch: Batch) -> bool:
            return await self.take(batch, stop)

        more = [await duty(take) for duty in self._duties]
        self._duties_at = clock.monotonic() + (0.0 if any(more) else DUTIES_S)
        return any(more)


def _met(entry: Entry) -> Entry:
    return entry._replace(event=replace(entry.event, version=UNTOLD))


def _settled(taken: Sequence[tuple[Work, Disposition]]) -> list[tuple[ledger.Key, str, str]]:
    """The rows of the ledger that have to say something else than was claimed."""
    return [(item.entry.key, told.state, told.reason) for item, told in taken if _differs(item, told)]


def _differs(item: Work, told: Disposition) -> bool:
    return not item.change.remove and told != MAPPED


def _failure(item: Work, why: str) -> Failure:
    source = Source(item.record.topic, item.record.partition, item.record.offset)
    return Failure(item.entry.event, item.entry.person, source, why)


async def run_consumer(settings: Settings, name: str, stop: asyncio.Event) -> None:
    """Consumes as `name` until `stop` is set, through every failure that passes by itself.

    Raises: NotFound (404) when no consumer has this name
    """
    backoff = Backoff()
    while not stop.is_set():
        began = clock.monotonic()
        try:
            async with open_databases(settings) as databases:
                await _consume(settings, databases, name, stop)
        except Exception as error:
            if not (transient(error) or isinstance(error, Fenced)):
                raise
            if clock.monotonic() - began > CALM_S:
                backoff.reset()
            logger.warning("consumer begins again", consumer=name, error=type(error).__name__, attempt=backoff.attempt)
            await pause(stop, backoff.next_s())


async def _consume(settings: Settings, databases: Databases, name: str, stop: asyncio.Event) -> None:
    """Consumes from the place that this process gets, for as long as it has it."""
    sink = registry.sink(settings, databases, name)
    several = sink.several and settings.bus == "kafka"

    async def joins() -> bool:
        return several and await resync.begun(sink.pool, name, await epoch.current(databases.store))

    async with sink.pool.acquire() as conn:
        leads = await place.take(conn, name, joins, stop)
        if leads is None:
            return
        over = asyncio.Event()
        keeping = asyncio.create_task(place.keep(conn, name, leads, stop, over))
        try:
            async with databases.store.acquire() as store:
                present = await epoch.settle(store)
                if settings.bus == "kafka":
                    # A cursor left by the other bus would keep the outbox from being dropped.
                    await store.execute(outbox.SQL["forget_cursor"], name)
            await sink.open(leads=leads)
            try:
                await _run(settings, databases, sink, present, leads, over)
            finally:
                await sink.close()
        finally:
            keeping.cancel()
            await asyncio.wait({keeping})


@asynccontextmanager
async def log_of(
    settings: Settings, databases: Databases, sink: Sink, *, states: bool = False
) -> AsyncIterator[tuple[Log, Follow]]:
    """The log that a sink reads, and how bodies are fetched that are not in it.

    states: on Kafka, the last state of each resource in place of the events"""
    if settings.bus != "kafka":
        # What an app was not notified of is in no store.
        renewable = not sink.every_version
        yield EmbeddedLog(databases.store, sink.name, sorted(sink.types), renewable=renewable), _inline
        return
    from ecluse.bus.bodies import HttpBodies
    from ecluse.bus.kafka import KafkaLog

    bodies = HttpBodies()
    try:
        yield KafkaLog(settings, databases.store, sink.name, sorted(sink.types), states=states), bodies.follow
    finally:
        await bodies.close()


async def _inline(reference: Reference) -> bytes:
    raise Unmappable("the embedded log holds no references")


async def _run(
    settings: Settings, databases: Databases, sink: Sink, present: int, leads: bool, stop: asyncio.Event
) -> None:
    async with AsyncExitStack() as stack:
        log, follow = await stack.enter_async_context(log_of(settings, databases, sink))
        async with databases.store.acquire() as conn:
            lives = await epoch.lives(conn)
        prepare = Prepare(sink, Persons(databases.identity), Gate(databases.identity), follow, lives)
        duties: list[Duty] = []
        if leads:
            resync = Resync(sink, databases.store, present, settings.bus == "embedded")
            await resync.begin()
            duties += [resync.step, Retrying(sink.pool, sink.name, databases.store).step]
            upkeep = [
                partitions.keep(databases.store, stop, partitions.limits_of(settings)),
                dead_letters.keep(sink.pool, sink.name, settings.dead_letters_days),
            ]
            if sink.pool is not databases.store:  # of the store's own database the server keeps them
                upkeep.append(statistics.keep(sink.pool))
            for each in upkeep:
                stack.callback(asyncio.create_task(each).cancel)
        await Runner(sink, log, Offsets(sink.pool, sink.name, present), prepare, duties).run(stop)

"""The warehouse made anew beside the live one, and put in its place at once.

Enters: a live consumer. Leaves: tables that hold what the present mapping makes of the present store.

    1  place    the copy begins where the live consumer is in its log, and walks through the store
    2  follow   it takes only what the live consumer has taken: every row has an id by then, and the copy the same
    3  turn     the live consumer waits; the copy reads up to where it stopped
    4  swap     in one transaction the live tables, books and dead letters become those of the copy, where they differ

Whoever reads the tables sees the old rows until then and the new ones from then on. A copy whose building was broken
off goes on where it was; one of another epoch begins again.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Collection, Mapping
from typing import Any

from consumers import resync
from consumers.abandoned import COPY, SQL, alone, forget
from consumers.gate import Decisions, Gate
from consumers.offsets import SQL as OFFSETS
from consumers.offsets import Offsets
from consumers.persons import Persons
from consumers.prepare import Prepare
from consumers.resync import Resync
from consumers.runner import Runner, log_of
from consumers.sink import Take
from consumers.warehouse import shadow
from consumers.warehouse.shadow import Difference, ShadowSink
from ecluse.bus import epoch
from ecluse.bus.log import Batch, Claim, Log, Partition, Record
from ecluse.core import clock
from ecluse.core.db.databases import Databases
from ecluse.core.errors import BadRequest, Unavailable
from ecluse.core.settings import Settings

LIVE = "warehouse"
LOOK_S = 0.2
NEARER = 3
"""How often the copy goes where the live consumer was before that one is kept waiting."""
TURN_S = 60.0
"""How long the live consumer may be kept waiting for the copy to read the rest."""

Say = Callable[[str], None]


async def build(settings: Settings, databases: Databases, say: Say) -> dict[str, Difference]:
    """Builds the copy and puts it in the place of the live tables. Returns: what differed, by table

    say: is told how far it is
    Raises: BadRequest (400) when another process builds one, or the live consumer has not begun or is walking
    """
    sink = ShadowSink(settings, databases)
    async with alone(sink.pool) as conn:
        async with databases.store.acquire() as store:
            present, lives = await epoch.settle(store), await epoch.lives(store)
        walk = Resync(sink, databases.store, present, settings.bus == "embedded")
        await _place(conn, databases.store, walk, present, settings.bus == "embedded")
        async with log_of(settings, databases, sink) as (log, follow):
            prepare = Prepare(sink, Persons(databases.identity), _GateOfLive(databases.identity), follow, lives)
            offsets, duties = Offsets(sink.pool, COPY, present), (_behind(walk, sink.pool),)
            stop = asyncio.Event()
            running = asyncio.create_task(Runner(sink, _Following(log, sink.pool), offsets, prepare, duties).run(stop))
            try:
                await _walked(sink.pool, running, say)
                found = await _swapped(conn, sink.pool, running, stop, say)
            finally:
                stop.set()
                await asyncio.wait({running})
        await forget(conn, databases.store)
        return found


async def abort(settings: Settings, databases: Databases) -> bool:
    """Drops a copy that was not finished; False when there is none.

    Raises: BadRequest (400) while a process builds it"""
    async with alone(databases.warehouse) as conn:
        there = await shadow.stands(conn)
        await forget(conn, databases.store)
        return there


async def _place(conn: Any, store: Any, walk: Resync, present: int, embedded: bool) -> None:
    """Begins a copy, unless one of this epoch is there that can go on."""
    if await shadow.stands(conn) and await resync.begun(conn, COPY, present) and await walk.reachable():
        return
    if not await resync.begun(conn, LIVE, present) or await resync.progress(conn, LIVE) is not None:
        raise BadRequest("The warehouse has not begun, or walks through the store: `ecluse status`. Try again then.")
    await forget(conn, store)
    if embedded:
        # Before the offsets are copied: what lies behind them is still there then.
        await store.execute(SQL["hold_outbox"], COPY, LIVE)
    async with conn.transaction():
        await shadow.make(conn)
        await conn.execute(SQL["place"], COPY, LIVE)
        await conn.execute(SQL["begin"], COPY, present)


async def _walked(pool: Any, running: asyncio.Task[None], say: Say) -> None:
    """Returns when the copy has walked through the store."""
    while (at := await resync.progress(pool, COPY)) is not None:
        say(f"walks through the store, at {at}" if at else "walks through the store")
        await _look(running)


async def _swapped(
    conn: Any, pool: Any, running: asyncio.Task[None], stop: asyncio.Event, say: Say
) -> dict[str, Difference]:
    """Lets the copy come near, then catch up while the live consumer waits, then swaps."""
    while True:
        say("takes what the live consumer has taken meanwhile")
        for _ in range(NEARER):
            await _reach(pool, running)
        await conn.execute(SQL["wait_for_turn"], LIVE)
        try:
            async with asyncio.timeout(TURN_S) as turn:
                await _reach(pool, running)
                turn.reschedule(None)
                stop.set()
                await running
                say("compares the copy with the live tables")
                return await _swap(conn)
        except TimeoutError:
            say("is too far behind; the live consumer goes on")
        finally:
            await conn.execute(SQL["end_turn"], LIVE)


async def _reach(pool: Any, running: asyncio.Task[None]) -> None:
    """Returns when the copy has read as far as the live consumer has by now."""
    live = await _offsets(pool, LIVE)
    while True:
        own = await _offsets(pool, COPY)
        if all(own.get(part, 0) >= at for part, at in live.items()):
            return
        await _look(running)


async def _offsets(pool: Any, consumer: str) -> dict[Partition, int]:
    rows = await pool.fetch(OFFSETS["stored"], consumer)
    return {(row["topic"], row["partition"]): row["next_offset"] for row in rows}


async def _swap(conn: Any) -> dict[str, Difference]:
    async with conn.transaction():
        await conn.execute("SET LOCAL statement_timeout = 0")
        found = await shadow.put_right(conn)
        await conn.execute(SQL["books"], COPY, LIVE)
        await conn.execute(SQL["drop_dead_letters"], LIVE)
        await conn.execute(SQL["own_dead_letters"], COPY, LIVE)
        return found


async def _look(running: asyncio.Task[None]) -> None:
    """Waits a little.

    Raises: what ended the copy's runner"""
    await asyncio.wait({running}, timeout=LOOK_S)
    if running.done():
        running.result()
        raise Unavailable("The building of the copy was ended; the same command goes on with it.")


def _behind(walk: Resync, pool: Any) -> Callable[[Take], Any]:
    """The walk, without what the live consumer has not taken yet: its event comes later."""

    async def step(take: Take) -> bool:
        async def taken(batch: Batch) -> bool:
            return await take(await _known(pool, batch))

        return await walk.step(taken)

    return step


async def _known(pool: Any, batch: Batch) -> Batch:
    keys = [(record.event.site, record.event.type, record.event.id) for record in batch.records]
    rows = await pool.fetch(SQL["known"], LIVE, *map(list, zip(*keys, strict=True))) if keys else []
    taken = {(row["site"], row["type"], row["id"]): (row["epoch"], row["version"]) for row in rows}
    kept = [
        record
        for key, record in zip(keys, batch.records, strict=True)
        if key in taken and record.event.order <= taken[key]
    ]
    return batch._replace(records=kept)


class _GateOfLive(Gate):
    """What was decided for the live consumer holds for its copy."""

    async def decisions(self, persons: Collection[int], consumer: str, purpose: str) -> Decisions:
        return await super().decisions(persons, LIVE, purpose)


class _Following:
    """A log of which nothing is handed out that the live consumer has not taken."""

    def __init__(self, log: Log, pool: Any) -> None:
        self._log, self._pool = log, pool
        self._ahead: Batch | None = None
        self._told: dict[Partition, int] = {}
        self._assignment = 0

    async def open(self, claim: Claim) -> None:
        await self._log.open(claim)

    async def poll(self, max_events: int, max_bytes: int, timeout_s: float) -> Batch:
        """The next records up to the live consumer's positions; empty when none came in time."""
        deadline = clock.monotonic() + timeout_s
        while True:
            if self._ahead is None or not self._log.holds(self._ahead):
                self._ahead = await self._log.poll(max_events, max_bytes, max(0.0, deadline - clock.monotonic()))
            if self._ahead.assignment != self._assignment:
                # What was told under another one may not have been written.
                self._assignment = self._ahead.assignment
                self._told.clear()
            found, self._ahead = _cut(self._ahead, await _offsets(self._pool, LIVE), self._told)
            self._told |= found.positions
            if found.positions or clock.monotonic() >= deadline:
                return found
            await self._log.rest(LOOK_S)

    def holds(self, batch: Batch) -> bool:
        return self._log.holds(batch)

    async def rest(self, delay_s: float) -> None:
        await self._log.rest(delay_s)

    async def commit(self, positions: Mapping[Partition, int]) -> None:
        if self._ahead is None:  # the log counts as read what it has handed out
            await self._log.commit(positions)

    async def close(self) -> None:
        await self._log.close()


def _cut(batch: Batch, live: Mapping[Partition, int], told: Mapping[Partition, int]) -> tuple[Batch, Batch | None]:
    """What of a batch the live consumer has taken, and the rest, None when there is none. told: positions before"""
    reached = {part: min(at, live.get(part, 0)) for part, at in batch.positions.items()}
    new = {part: at for part, at in reached.items() if at > told.get(part, 0)}
    parted: tuple[list[Record], list[Record]] = ([], [])
    for record in batch.records:
        parted[record.offset >= live.get((record.topic, record.partition), 0)].append(record)
    behind = {part: at for part, at in batch.positions.items() if at > reached[part]}
    rest = batch._replace(records=parted[1], positions=behind) if behind else None
    return batch._replace(records=parted[0], positions=new), rest

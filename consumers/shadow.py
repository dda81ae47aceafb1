"""What a consumer holds made anew beside the live one, and put in its place at once.

Enters: a live consumer that has a copy. Leaves: what is live as the present code makes it of the present store.

    1  place    the copy begins where the live consumer is in its log
    2  fill     it walks through the store, or on Kafka reads the topics of last states, and then from the store what
                these have not
    3  follow   it takes only what the live consumer has taken: every row of the warehouse has an id by then, and the
                copy the same
    4  level    the live consumer has what was stored when the filling was over, so that nothing was left out for good
    5  turn     the live consumer waits; the copy reads up to where it stopped, and takes again what is of persons about
                whom was decided after it had taken that
    6  swap     in one transaction the live rows, books and dead letters become those of the copy, where they differ;
                what is in no table follows by itself (Copy.put_in_place)

Whoever reads sees the old until then and the new from then on. A copy whose building was broken off goes on where it
was; one of another epoch begins again.
"""

from __future__ import annotations

import asyncio
import math
from collections.abc import AsyncIterator, Callable, Mapping, Sequence
from contextlib import AsyncExitStack, asynccontextmanager
from typing import Any, Literal

from consumers import place, resync
from consumers.abandoned import SQL, alone, forget
from consumers.beside import Copy, Difference
from consumers.following import LOOK_S, Following, GateOfLive, Redecided, States, Untold, behind
from consumers.gate import Gate
from consumers.offsets import Offsets, stored
from consumers.persons import Persons
from consumers.prepare import Prepare
from consumers.reach import reach
from consumers.resync import Resync
from consumers.runner import Runner, log_of
from consumers.sink import Duty
from ecluse.bus import epoch
from ecluse.bus.log import Partition
from ecluse.bus.replay import Replay
from ecluse.core.db.databases import Databases
from ecluse.core.errors import BadRequest, Unavailable
from ecluse.core.settings import Settings

NEARER = 3
"""How often the copy goes where the live consumer was before that one is kept waiting."""
TURN_S = 60.0
"""How long the live consumer may be kept waiting for the copy to read the rest."""

Say = Callable[[str], None]
Source = Literal["store", "topic"]
"""What the copy is filled from."""
NO_TOPICS = (
    "The embedded log has no topics to read: leave --from topic out, the store has the same (ECLUSE_BUS=embedded)."
)


async def build(
    settings: Settings, databases: Databases, copy: Copy, source: Source, say: Say
) -> dict[str, Difference]:
    """Builds the copy and puts it in the place of what is live. Returns: what differed, by table

    say: is told how far it is
    Raises: BadRequest (400) when another process builds one, the live consumer has not begun or is walking, or there
    are no topics
    """
    if source == "topic" and settings.bus == "embedded":
        raise BadRequest(NO_TOPICS)
    async with alone(copy) as conn:
        found = await Building(settings, databases, copy, conn, say).run(source)
        await forget(copy, conn, databases.store)
        return found


async def abort(databases: Databases, copy: Copy) -> bool:
    """Drops a copy that was not finished; False when there is none.

    Raises: BadRequest (400) while a process builds it"""
    async with alone(copy) as conn:
        there = await copy.there(conn)
        await forget(copy, conn, databases.store)
        return there


class Building:
    """A copy, in the one process that builds it."""

    def __init__(self, settings: Settings, databases: Databases, copy: Copy, conn: Any, say: Say) -> None:
        """conn: that of `alone`"""
        self._settings = settings
        self._databases = databases
        self._copy = copy
        self._conn = conn
        self._say = say
        self._pool = copy.pool
        self._sink = copy.sink()
        self._lives = epoch.Lives()

    async def run(self, source: Source) -> dict[str, Difference]:
        """What `build` returns; what is left of the copy is dropped by the caller."""
        async with self._databases.store.acquire() as store:
            present, self._lives = await epoch.settle(store), await epoch.lives(store)
        walk = Resync(self._sink, self._databases.store, present, self._settings.bus == "embedded")
        await self._place(walk, present)
        async with AsyncExitStack() as turn:
            await self._sink.open()
            try:
                await self._fill(walk, present, source, turn)
            finally:
                await self._sink.close()
            self._say("compares the copy with what is live")
            found = await self._swap()
        return found | dict(await self._copy.put_in_place(self._conn))

    async def _place(self, walk: Resync, present: int) -> None:
        """Begins a copy, unless one of this epoch is there that can go on."""
        live, name, conn = self._copy.live, self._copy.name, self._conn
        if await self._copy.stands(conn) and await resync.begun(conn, name, present) and await walk.reachable():
            return
        if not await resync.begun(conn, live, present) or await resync.progress(conn, live) is not None:
            raise BadRequest(f"{live} has not begun, or walks through the store: `ecluse status`. Try again then.")
        await forget(self._copy, conn, self._databases.store)
        if self._settings.bus == "embedded":
            # Before the offsets are copied: what lies behind them is still there then.
            await self._databases.store.execute(SQL["hold_outbox"], name, live)
        async with conn.transaction():
            await self._copy.make(conn)
            await conn.execute(SQL["place"], name, live)
            await conn.execute(SQL["begin"], name, present)

    async def _fill(self, walk: Resync, present: int, source: Source, turn: AsyncExitStack) -> None:
        """Returns with the live consumer waiting, and the copy where that one is. turn: when it is left, it goes on"""
        step: Duty = behind(walk, self._pool, self._copy.live)
        if source == "topic" and await resync.progress(self._pool, self._copy.name) is not None:
            await self._read_states(present)
            step = Untold(self._pool, self._databases.store, self._copy).step
        store, gate = self._databases.store, Gate(self._databases.identity)
        decided = Redecided(self._pool, store, gate, self._copy, self._sink.purpose)
        async with self._running(present, [step, decided.step], states=False) as running:
            await self._walked(running)
            await self._live_has_all(running)
            await self._level(running, decided, turn)

    async def _read_states(self, present: int) -> None:
        """Takes what the topics of last states tell of resources, up to where they end now."""
        from ecluse.bus.ends import state_ends

        self._say("reads the topics of last states")
        ends = await state_ends(self._settings, self._databases.store, sorted(self._sink.types))
        async with self._running(present, [], states=True) as running:
            await self._reach(running, ends)

    @asynccontextmanager
    async def _running(
        self, present: int, duties: Sequence[Duty], *, states: bool
    ) -> AsyncIterator[asyncio.Task[None]]:
        """The copy's consumer at work, on its log or on the topics of last states. Raises: what ended it"""
        gate, stop = GateOfLive(self._databases.identity, self._copy.live), asyncio.Event()
        async with log_of(self._settings, self._databases, self._sink, states=states) as (whole, follow):
            log = (States if states else Following)(whole, self._pool, self._copy.live)
            prepare = Prepare(self._sink, Persons(self._databases.identity), gate, follow, self._lives)
            offsets = Offsets(self._pool, self._copy.name, present)
            running = asyncio.create_task(Runner(self._sink, log, offsets, prepare, duties).run(stop))
            try:
                yield running
            except BaseException:
                stop.set()
                await asyncio.wait({running})
                raise
            stop.set()
            await running

    async def _walked(self, running: asyncio.Task[None]) -> None:
        """Returns when the copy is filled."""
        while (at := await resync.progress(self._pool, self._copy.name)) is not None:
            self._say(f"walks through the store, at {at}" if at else "walks through the store")
            await _look(running)

    async def _live_has_all(self, running: asyncio.Task[None]) -> None:
        """Returns when the live consumer has what is stored now: of what it lacked while the copy was filled, the copy
        knows nothing until then."""
        runs = await place.processes(self._pool, self._copy.live)
        self._say("waits for the live consumer" + ("" if runs else ", of which no process runs: start it"))
        now = await Replay(self._databases.store).present()
        reaching = asyncio.create_task(reach(self._settings, self._databases, [self._copy.live], now, math.inf))
        try:
            while not reaching.done():
                await asyncio.wait({running, reaching}, return_when=asyncio.FIRST_COMPLETED)
                _check(running)
            await reaching
        finally:
            reaching.cancel()

    async def _level(self, running: asyncio.Task[None], decided: Redecided, turn: AsyncExitStack) -> None:
        """Lets the copy come near, then catch up while the live consumer waits."""
        live = self._copy.live
        while True:
            self._say("takes what the live consumer has taken meanwhile")
            for _ in range(NEARER):
                await self._reach(running, await stored(self._pool, live))
            await self._follow(running, decided)
            async with AsyncExitStack() as own:
                await self._conn.execute(SQL["wait_for_turn"], live)
                own.push_async_callback(self._conn.execute, SQL["end_turn"], live)
                try:
                    async with asyncio.timeout(TURN_S):
                        await self._reach(running, await stored(self._pool, live))
                        await self._follow(running, decided)
                    await turn.enter_async_context(own.pop_all())
                    return
                except TimeoutError:
                    self._say("is too far behind; the live consumer goes on")

    async def _follow(self, running: asyncio.Task[None], decided: Redecided) -> None:
        """Returns when the copy is as is decided by now."""
        while not await decided.settled():
            await _look(running)

    async def _reach(self, running: asyncio.Task[None], ends: Mapping[Partition, int]) -> None:
        """Returns when the copy has read as far."""
        while True:
            own = await stored(self._pool, self._copy.name)
            if all(own.get(part, 0) >= at for part, at in ends.items()):
                return
            await _look(running)

    async def _swap(self) -> dict[str, Difference]:
        live, name, conn = self._copy.live, self._copy.name, self._conn
        async with conn.transaction():
            await conn.execute("SET LOCAL statement_timeout = 0")
            found = await self._copy.put_right(conn)
            await conn.execute(SQL["books"], name, live)
            await conn.execute(SQL["drop_dead_letters"], live)
            await conn.execute(SQL["own_dead_letters"], name, live)
            return dict(found)


async def _look(running: asyncio.Task[None]) -> None:
    """Waits a little.

    Raises: what ended the copy's runner"""
    await asyncio.wait({running}, timeout=LOOK_S)
    _check(running)


def _check(running: asyncio.Task[None]) -> None:
    if running.done():
        running.result()
        raise Unavailable("The building of the copy was ended; the same command goes on with it.")

"""What the consumer of a copy may take, of its log, of topics and of the store: only what the live consumer has taken.

Enters: the same records that the live consumer gets, and its books and positions. Leaves: those of them that it has
taken. What is left out comes later, in the log behind the position at which the copy began.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping, Sequence
from typing import Any

from consumers import resync
from consumers.abandoned import SQL
from consumers.beside import Copy
from consumers.gate import Decisions, Gate
from consumers.offsets import stored
from consumers.resync import LIMITS, Resync
from consumers.resync import SQL as RESYNC
from consumers.sink import Take
from ecluse.bus import snapshot
from ecluse.bus.log import Batch, Claim, Log, Partition, Record
from ecluse.core import clock
from ecluse.core.log import Log as Logger

LOOK_S = 0.2
START = ("", "", "")

logger = Logger("shadow")


def behind(walk: Resync, pool: Any, live: str) -> Callable[[Take], Any]:
    """The walk, without what the live consumer has not taken yet."""

    async def step(take: Take) -> bool:
        async def taken(batch: Batch) -> bool:
            return await take(batch._replace(records=await known(pool, live, batch.records)))

        return await walk.step(taken)

    return step


async def known(pool: Any, live: str, records: Sequence[Record]) -> list[Record]:
    """Those of a version that the live consumer has taken, or of an earlier one. pool: that of its books"""
    keys = [(record.event.site, record.event.type, record.event.id) for record in records]
    rows = await pool.fetch(SQL["known"], live, *map(list, zip(*keys, strict=True))) if keys else []
    taken = {(row["site"], row["type"], row["id"]): (row["epoch"], row["version"]) for row in rows}
    return [
        record for key, record in zip(keys, records, strict=True) if key in taken and record.event.order <= taken[key]
    ]


class Untold:
    """What the live consumer has and no topic of last states told, read from the store: what was written before there
    was a relay, or is on topics that somebody has emptied."""

    def __init__(self, pool: Any, store: Any, copy: Copy) -> None:
        """pool: that of the books; store: the store's database"""
        self._pool, self._store, self._copy = pool, store, copy
        self._after = START
        self._count = 0

    async def step(self, take: Take) -> bool:
        """A part of it, until the copy counts as filled. Returns: whether there is more"""
        if await resync.progress(self._pool, self._copy.name) is None:
            return False
        keys = await _keys(self._pool, "untold", self._copy.name, self._copy.live, *self._after, LIMITS[0])
        if not keys:
            await self._pool.execute(RESYNC["finished"], self._copy.name)
            logger.info(
                "what the topics did not tell is read from the store", consumer=self._copy.name, count=self._count
            )
            return False
        taken = await _take(self._pool, self._store, self._copy.live, keys, take)
        if taken is not None:
            self._after = keys[-1]
            self._count += taken
        return True


class Redecided:
    """What was decided about persons after the copy had taken what is theirs: their resources, read from the store and
    taken again."""

    def __init__(self, pool: Any, store: Any, gate: Gate, copy: Copy, purpose: str) -> None:
        """pool: that of the books; store: the store's database; purpose: that of the sink"""
        self._pool, self._store, self._gate, self._copy, self._purpose = pool, store, gate, copy, purpose
        self._held_back: list[int] | None = None
        self._after = START
        self._wanted = False

    async def settled(self) -> bool:
        """Whether the copy is as is decided now; `step` sees to it when it is not."""
        held_back = await self._gate.held_back(self._copy.live, self._purpose)
        if held_back != self._held_back:
            self._held_back, self._after, self._wanted = held_back, START, True
        return not self._wanted

    async def step(self, take: Take) -> bool:
        """A part of it. Returns: whether there is more"""
        if not self._wanted:
            return False
        held_back = self._held_back
        keys = await _keys(self._pool, "redecided", self._copy.name, *self._after, held_back, LIMITS[0])
        taken = await _take(self._pool, self._store, self._copy.live, keys, take)
        if self._held_back is held_back and taken is not None:  # else another decision came meanwhile
            self._after = keys[-1] if keys else START
            self._wanted = bool(keys)
        return self._wanted


async def _keys(pool: Any, query: str, *values: Any) -> list[tuple[str, str, str]]:
    return [(row["site"], row["type"], row["id"]) for row in await pool.fetch(SQL[query], *values)]


async def _take(pool: Any, store: Any, live: str, keys: Sequence[tuple[str, str, str]], take: Take) -> int | None:
    """How many of these resources were taken as the store has them, if the live consumer has that too; None when it was
    stopped."""
    batch = snapshot.batch(await snapshot.by_key(store, keys, snapshot.WALKED))
    records = await known(pool, live, batch.records)
    return len(records) if await take(batch._replace(records=records)) else None


class GateOfLive(Gate):
    """What was decided for the live consumer holds for its copy."""

    def __init__(self, pool: Any, live: str) -> None:
        super().__init__(pool)
        self._live = live

    async def decisions(self, persons: Collection[int], consumer: str, purpose: str) -> Decisions:
        """What was decided for these persons."""
        return await super().decisions(persons, self._live, purpose)


class Following:
    """A log of which nothing is handed out that the live consumer has not taken."""

    def __init__(self, log: Log, pool: Any, live: str) -> None:
        """pool: that of the live consumer's positions"""
        self._log, self._pool, self._live = log, pool, live
        self._ahead: Batch | None = None
        self._told: dict[Partition, int] = {}
        self._assignment = 0

    async def open(self, claim: Claim) -> None:
        """As the log's."""
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
            found, self._ahead = cut(self._ahead, await stored(self._pool, self._live), self._told)
            self._told |= found.positions
            if found.positions or clock.monotonic() >= deadline:
                return found
            await self._log.rest(LOOK_S)

    def holds(self, batch: Batch) -> bool:
        """As the log's."""
        return self._log.holds(batch)

    async def rest(self, delay_s: float) -> None:
        """As the log's."""
        await self._log.rest(delay_s)

    async def commit(self, positions: Mapping[Partition, int]) -> None:
        """As the log's, unless some of what it handed out is held back here: the log counts that as read."""
        if self._ahead is None:
            await self._log.commit(positions)

    async def close(self) -> None:
        """As the log's."""
        await self._log.close()


class States(Following):
    """The topics of last states, without what the live consumer has not taken yet."""

    async def poll(self, max_events: int, max_bytes: int, timeout_s: float) -> Batch:
        """The next records; their positions are those of all that was read."""
        batch = await self._log.poll(max_events, max_bytes, timeout_s)
        return batch._replace(records=await known(self._pool, self._live, batch.records))


def cut(batch: Batch, live: Mapping[Partition, int], told: Mapping[Partition, int]) -> tuple[Batch, Batch | None]:
    """What of a batch the live consumer has taken, and the rest, None when there is none. told: positions before"""
    reached = {part: min(at, live.get(part, 0)) for part, at in batch.positions.items()}
    new = {part: at for part, at in reached.items() if at > told.get(part, 0)}
    parted: tuple[list[Record], list[Record]] = ([], [])
    for record in batch.records:
        parted[record.offset >= live.get((record.topic, record.partition), 0)].append(record)
    left = {part: at for part, at in batch.positions.items() if at > reached[part]}
    rest = batch._replace(records=parted[1], positions=left) if left else None
    return batch._replace(records=parted[0], positions=new), rest

"""Where a consumer goes on, kept in the database its rows are in.

Enters: positions of a batch, inside the transaction that writes the rows. Leaves: the positions to begin with. Taking
partitions over raises their generation; a process that was stopped and wakes up after that cannot store a position,
so its rows do not stand either. The processes of a consumer write in turn.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from ecluse.bus.log import Partition
from ecluse.core.db import queries
from ecluse.core.errors import Fenced

SQL = queries.load(__package__, "offsets.sql")
STOPPED = "60s"
"""How long a process may say nothing in its turn to write: after that it is one that was stopped, and others go on."""


async def stored(pool: Any, consumer: str) -> dict[Partition, int]:
    """Where a consumer goes on, in the partitions that it has taken anything of. pool: that of its rows"""
    rows = await pool.fetch(SQL["stored"], consumer)
    return {(row["topic"], row["partition"]): row["next_offset"] for row in rows}


class Offsets:
    """The positions of one consumer, as the process that claimed them."""

    def __init__(self, pool: Any, consumer: str, epoch: int) -> None:
        self._pool = pool
        self._consumer = consumer
        self._epoch = epoch
        self._generation: dict[Partition, int] = {}
        self._stored: dict[Partition, int] = {}

    async def claim(self, partitions: Sequence[Partition]) -> dict[Partition, int]:
        """The next offset of each partition that has one; from now on no other process can store it."""
        columns = [list(column) for column in zip(*partitions, strict=True)] or [[], []]
        rows = await self._pool.fetch(SQL["claim"], self._consumer, *columns, self._epoch)
        self._generation = {(row["topic"], row["partition"]): row["generation"] for row in rows}
        self._stored = {(row["topic"], row["partition"]): row["next_offset"] for row in rows if row["next_offset"]}
        return dict(self._stored)

    def news(self, positions: Mapping[Partition, int]) -> dict[Partition, int]:
        """Those positions that are not stored yet."""
        return {partition: at for partition, at in positions.items() if self._stored.get(partition) != at}

    async def turn(self, conn: Any, *, several: bool) -> None:
        """Waits until no other process of this consumer writes, nor one that puts its copy in place, as the first
        statement of the caller's transaction. several: there may be others, who do not wait for one that was stopped"""
        await conn.execute(SQL["turn"], self._consumer, STOPPED if several else None)

    async def advance(self, conn: Any, positions: Mapping[Partition, int]) -> None:
        """Stores positions in the caller's transaction.

        Raises: Fenced when another process has claimed one of the partitions
        """
        if not positions:
            return
        topics, numbers = ([partition[part] for partition in positions] for part in (0, 1))
        generations = [self._generation.get(partition, 0) for partition in positions]
        status = await conn.execute(
            SQL["advance"], self._consumer, topics, numbers, list(positions.values()), generations
        )
        if status != f"UPDATE {len(positions)}":
            raise Fenced(f"another process consumes for {self._consumer}")

    def advanced(self, positions: Mapping[Partition, int]) -> None:
        """The transaction of `advance` is committed."""
        self._stored.update(positions)

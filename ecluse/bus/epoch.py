"""The life this database is in.

Enters: the store's database at start. Leaves: its epoch. A restore takes version numbers back, so that the same
number may be given again to other content: from then on every event carries a higher epoch, which wins over any
version of a lower one. A restore is recognised by another system identifier (the dump was read into another cluster)
or another timeline (recovery to a point in time).
"""

from __future__ import annotations

from typing import Any, NamedTuple

from ecluse.bus.event import Event
from ecluse.bus.position import Position
from ecluse.core.db import queries
from ecluse.core.log import Log

SQL = queries.load(__package__, "epoch.sql")
log = Log("bus.epoch")


async def settle(conn: Any) -> int:
    """The present epoch, raised when the last start saw another database. Call it before the first write."""
    async with conn.transaction():
        await conn.execute(SQL["lock"])
        here = await conn.fetchrow(SQL["identity"])
        known = await conn.fetchrow(SQL["current"])
        if known is None:
            return await _begin(conn, 1, here, "first start")
        if (known["system_identifier"], known["timeline"]) != (here["system_identifier"], here["timeline"]):
            log.warning("database restored", reason="system identifier or timeline changed")
            return await _begin(conn, known["epoch"] + 1, here, "restored")
        return int(known["epoch"])


async def current(conn: Any) -> int:
    """The present epoch, as the last `settle` left it."""
    row = await conn.fetchrow(SQL["current"])
    return int(row["epoch"]) if row else 1


class Lives(NamedTuple):
    """The epochs a database has lived through, each with the number of the outbox it began with."""

    beginnings: tuple[tuple[int, int], ...] = ()

    def undone(self, event: Event) -> bool:
        """True when a restore took this event back: its number was given in an earlier life, behind where that ends."""
        lives = self.beginnings
        return len(lives) > 1 and any(event.epoch < epoch and event.seq >= first for epoch, first in lives)

    @property
    def present(self) -> int:
        """The present epoch."""
        return max((epoch for epoch, _ in self.beginnings), default=1)

    def position(self, seq: int) -> Position:
        """The position of the event with this number."""
        return Position(max((epoch for epoch, first in self.beginnings if first <= seq), default=1), seq)

    def kept(self, position: Position) -> int:
        """The number of this position, or that of the last event before a restore that undid it."""
        ends = (first - 1 for epoch, first in self.beginnings if epoch > position.epoch)
        return min([position.seq, *ends])


async def lives(conn: Any) -> Lives:
    """The epochs so far."""
    return Lives(tuple((row["epoch"], row["first_seq"]) for row in await conn.fetch(SQL["beginnings"])))


async def _begin(conn: Any, epoch: int, here: Any, reason: str) -> int:
    await conn.execute(SQL["begin"], epoch, here["system_identifier"], here["timeline"], reason)
    return epoch

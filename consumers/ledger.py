"""What became of each resource in each consumer.

Enters: changes that a sink is about to write, then what it says about them. Leaves: which of them are not older than
what stands, and the books: received = mapped + excluded + withheld + waiting + dead + removed. A row outlives the
resource, so that a late version of a deleted resource finds its tombstone.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any, NamedTuple

from consumers.sink import State
from ecluse.bus.event import UNDONE, Event
from ecluse.core.db import queries
from ecluse.core.fhir import types

SQL = queries.load(__package__, "ledger.sql")

Key = tuple[str, str, str]
"""(site, type, id)"""


UNTOLD = -1
"""In the books of a consumer that is given every version, that of a resource which only a walk has met: none yet."""


class Entry(NamedTuple):
    """A row of the ledger. state: a State, or withheld, or dead."""

    event: Event
    person: int | None
    state: str
    reason: str = ""

    @property
    def key(self) -> Key:
        """(site, type, id) of the resource."""
        return self.event.site, self.event.type, self.event.id


class Books(NamedTuple):
    """What a consumer did with what it received. excluded: by reason; balanced: nothing is missing."""

    received: int
    mapped: int
    excluded: dict[str, int]
    withheld: int
    waiting: int
    dead: int
    removed: int
    balanced: bool


async def claim(conn: Any, consumer: str, entries: Sequence[Entry]) -> dict[Key, bool]:
    """The keys that may be written, and whether nothing of them was ever taken before; their rows stay locked and hold
    the given state. At most one entry a resource."""
    if not entries:
        return {}
    rows = [
        (*entry.key, *entry.event.order, entry.event.gone, entry.state, entry.reason, entry.event.patient, entry.person)
        for entry in entries
    ]
    accepted = await conn.fetch(SQL["claim"], consumer, *_columns(rows))
    return {(site, kind, key_id): fresh for site, kind, key_id, fresh in accepted}


async def repeated(conn: Any, consumer: str, entries: Sequence[Entry]) -> set[Key]:
    """The keys of those whose very version was taken before: the log may give a record twice."""
    if not entries:
        return set()
    rows = await conn.fetch(
        SQL["repeated"], consumer, *_columns([(*entry.key, *entry.event.order) for entry in entries])
    )
    return {(row["site"], row["type"], row["id"]) for row in rows}


async def settle(conn: Any, consumer: str, states: Sequence[tuple[Key, str, str]]) -> None:
    """Stores what became of claimed rows. states: (key, state, reason)"""
    if states:
        await conn.execute(SQL["settle"], consumer, *_columns([(*key, state, reason) for key, state, reason in states]))


async def resolve(conn: Any, consumer: str, keys: Iterable[Key], state: State = "mapped") -> None:
    """Ends the waiting of resources whose parent has arrived; called by a sink inside `write`."""
    rows = list(keys)
    if rows:
        await conn.execute(SQL["resolve"], consumer, *_columns(rows), state)


async def suspend(conn: Any, consumer: str, keys: Iterable[tuple[Key, str]]) -> None:
    """Makes resources wait again whose parent has gone; called by a sink inside `write`. keys: (key, reason)"""
    rows = [(*key, reason) for key, reason in keys]
    if rows:
        await conn.execute(SQL["suspend"], consumer, *_columns(rows))


async def books(pool: Any, store: Any, consumer: str, resource_types: Iterable[str]) -> Books:
    """The books of a consumer.

    pool: the consumer's database; store: the store's, whose count the books are held against, and what a
    restore took from it
    """
    received: int = await store.fetchval(SQL["received"], [types.number_of[name] for name in resource_types])
    rows = await pool.fetch(SQL["counts"], consumer)
    undone = sum(row["count"] for row in rows if row["state"] == "removed" and row["reason"] == UNDONE)
    totals: dict[str, int] = {}
    for row in rows:
        totals[row["state"]] = totals.get(row["state"], 0) + row["count"]
    return Books(
        received=received + undone,
        mapped=totals.get("mapped", 0),
        excluded={row["reason"]: row["count"] for row in rows if row["state"] == "excluded"},
        withheld=totals.get("withheld", 0),
        waiting=totals.get("waiting", 0),
        dead=totals.get("dead", 0),
        removed=totals.get("removed", 0),
        balanced=received + undone == sum(totals.values()),
    )


def _columns(rows: Sequence[tuple[Any, ...]]) -> list[list[Any]]:
    return [list(column) for column in zip(*rows, strict=True)]

"""The present state of the store as events, for those that cannot get it from the log.

Enters: keys of resources, or a place in a walk through all of them. Leaves: an event for the present version of each,
deletes included. Harmless beside the log: whoever has a newer version keeps it.
"""

from __future__ import annotations

from collections.abc import Collection, Sequence
from typing import Any, NamedTuple

from ecluse.bus.event import OPS, Event
from ecluse.bus.log import UNPLACED, Batch, Record
from ecluse.core.db import queries
from ecluse.core.fhir import types

SQL = queries.load(__package__, "snapshot.sql")


class Place(NamedTuple):
    """A resource in the order of the walk: site, type and key as numbers."""

    site: int
    type: int
    pk: int


START = Place(0, 0, 0)
WALKED = "snapshot"
"""The reason of an event that a walk makes."""


async def by_key(pool: Any, keys: Sequence[tuple[str, str, str]], reason: str) -> list[Event]:
    """The present versions of resources given as (site, type, id); those that the store never had are missing."""
    known = [(site, types.number_of[kind], resource_id) for site, kind, resource_id in keys if kind in types.number_of]
    if not known:
        return []
    rows = await pool.fetch(SQL["by_key"], *(list(column) for column in zip(*known, strict=True)))
    return [_event(row, reason) for row in rows]


async def walk(
    pool: Any, after: Place, resource_types: Collection[str], limits: tuple[int, int]
) -> tuple[list[Event], Place]:
    """The next present versions after a place, and the place of the last one; no events at the end.

    limits: most events, most bytes
    """
    numbers = [types.number_of[name] for name in resource_types]
    rows = await pool.fetch(SQL["walk"], *after, numbers, *limits)
    if not rows:
        return [], after
    return [_event(row, WALKED) for row in rows], Place(rows[-1]["site_number"], rows[-1]["type"], rows[-1]["pk"])


def batch(events: Sequence[Event]) -> Batch:
    """Events that come from no log, as a batch without positions."""
    return Batch([Record(event, "store", 0, 0) for event in events], {}, UNPLACED)


def _event(row: Any, reason: str) -> Event:
    return Event(
        site=row["site"],
        type=types.name_of[row["type"]],
        id=row["id"],
        version=row["version"],
        epoch=row["epoch"],
        seq=0,
        op=_op(row),
        time=row["updated"],
        patient=row["patient"],
        body=None if row["deleted"] else row["body"],
        reason=reason,
        survivor=row["survivor"],
        merge=row["merge"] or 0,
    )


def _op(row: Any) -> str:
    if OPS[row["op"] or 0] == "erased":
        return "erased"
    return "deleted" if row["deleted"] or row["body"] is None else "updated"

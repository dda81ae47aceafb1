"""What a Subscription is told: how it stands, its notifications, and the events of these with what is sent beside them.

Enters: the key of a Subscription, rows of stored notifications. Leaves: events whose neighbours are read as they stand
now: what was deleted or erased meanwhile is not among them.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from ecluse.core.db import queries
from ecluse.core.fhir import json
from ecluse.core.fhir.types import name_of
from ecluse.related.follower import SQL as RELATED
from mappers.subscriptions.bundle import EMPTY, FULL, MOST_BESIDE, Beside, Told, told

SQL = queries.load(__package__, "told.sql")
LAST = (1 << 63) - 1
"""Behind every number of a notification."""
MOST_BYTES = 8 * 1024 * 1024
"""Of what is sent beside the events of one notification; what comes after is named without its content."""


async def served(conn: Any, pk: int) -> Any:
    """How a Subscription stands; None when it is off."""
    return await conn.fetchrow(SQL["served"], pk)


async def kept(conn: Any, pk: int, first: int, last: int, most: int) -> list[Any]:
    """The rows of its notifications from one number to another, so many at most."""
    return list(await conn.fetch(SQL["kept"], pk, first, last, most))


async def arrived(conn: Any, pk: int, number: int, began: int) -> None:
    """It has heard what there was up to a number, 0 for something else. began: `delivered` when that was read"""
    await conn.execute(SQL["arrived"], pk, number, began)


async def events(conn: Any, site: int, content: str, rows: Sequence[Any], most_bytes: int = MOST_BYTES) -> list[Told]:
    """The events of stored notifications. content: what of a resource the Subscription is sent"""
    found = [told(row) for row in rows]
    keys = [json.decode(row["beside"].encode()) for row in rows]
    asked = [tuple(key) for one, own in zip(found, keys, strict=True) if one.id for key in own[:MOST_BESIDE]]
    if content == EMPTY or not asked:
        return found
    columns = [list(column) for column in zip(*asked, strict=True)]
    listed = await conn.fetch(RELATED["beside"], site, *columns, most_bytes if content == FULL else 0)
    known = {row["pk"]: Beside(name_of[row["type"]], row["id"], row["body"]) for row in listed}
    return [
        one._replace(beside=tuple(known[pk] for _, pk in own[:MOST_BESIDE] if pk in known), more=len(own) > MOST_BESIDE)
        if one.id
        else one
        for one, own in zip(found, keys, strict=True)
    ]

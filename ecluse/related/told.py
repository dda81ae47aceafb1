"""The events of notifications, with what is sent beside them.

Enters: rows of stored notifications. Leaves: events whose neighbours are read as they stand now: what was deleted or
erased meanwhile is not among them.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from ecluse.core.fhir import json
from ecluse.core.fhir.types import name_of
from ecluse.related.follower import SQL
from mappers.subscriptions.bundle import EMPTY, FULL, MOST_BESIDE, Beside, Told, told

MOST_BYTES = 8 * 1024 * 1024
"""Of what is sent beside the events of one notification; what comes after is named without its content."""


async def events(conn: Any, site: int, content: str, rows: Sequence[Any], most_bytes: int = MOST_BYTES) -> list[Told]:
    """The events of stored notifications. content: what of a resource the Subscription is sent"""
    found = [told(row) for row in rows]
    keys = [json.decode(row["beside"].encode()) for row in rows]
    asked = [tuple(key) for one, own in zip(found, keys, strict=True) if one.id for key in own[:MOST_BESIDE]]
    if content == EMPTY or not asked:
        return found
    columns = [list(column) for column in zip(*asked, strict=True)]
    listed = await conn.fetch(SQL["beside"], site, *columns, most_bytes if content == FULL else 0)
    known = {row["pk"]: Beside(name_of[row["type"]], row["id"], row["body"]) for row in listed}
    return [
        one._replace(beside=tuple(known[pk] for _, pk in own[:MOST_BESIDE] if pk in known), more=len(own) > MOST_BESIDE)
        if one.id
        else one
        for one, own in zip(found, keys, strict=True)
    ]

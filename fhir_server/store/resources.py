"""What is stored, read by key.

Enters: a connection, a site's number, type and id. Leaves: rows; a body is the bytes that are served.
"""

from __future__ import annotations

import zlib
from collections.abc import Iterable, Sequence
from datetime import datetime
from typing import Any, NamedTuple

from ecluse.core.db import queries
from ecluse.core.errors import Gone, NotFound
from ecluse.core.fhir import types

SQL = queries.load(__package__, "resources.sql")
CONDITION_LOCKS = 0x46484952
BUCKETS = 1024
BEGINNING = datetime.fromisoformat("0001-01-02T00:00:00+00:00")


class Stored(NamedTuple):
    """One version; the body of a deletion is None."""

    pk: int
    version: int
    updated: datetime
    deleted: bool
    body: bytes | None


class Past(NamedTuple):
    """One line of a history."""

    pk: int
    version: int
    updated: datetime
    op: int
    body: bytes | None


class Site(NamedTuple):
    """One identity domain."""

    number: int
    name: str
    time_zone: str


async def current(conn: Any, site: int, resource_type: str, resource_id: str) -> Stored:
    """The current version.

    Raises: NotFound (404) when nothing was ever stored, Gone (410) when it was deleted
    """
    row = await conn.fetchrow(SQL["current"], site, types.number_of[resource_type], resource_id)
    return _standing(row, resource_type, resource_id)


async def version(conn: Any, site: int, resource_type: str, resource_id: str, version_id: int) -> Stored:
    """One version.

    Raises: NotFound (404) when there is no such version, Gone (410) when it is a deletion
    """
    row = await conn.fetchrow(SQL["version"], site, types.number_of[resource_type], resource_id, version_id)
    return _standing(row, resource_type, f"{resource_id}/_history/{version_id}")


def _standing(row: Any, resource_type: str, address: str) -> Stored:
    if row is None:
        raise NotFound(f"There is no {resource_type}/{address} here.")
    stored = Stored(*row)
    if stored.deleted:
        raise Gone(f"{resource_type}/{address} was deleted in version {stored.version}; its history is still there.")
    return stored


async def history(
    conn: Any, site: int, resource_type: str, resource_id: str, *, below: int, limit: int, since: datetime | None
) -> list[Past]:
    """Versions, newest first, each older than `below`."""
    key = (site, types.number_of[resource_type], resource_id)
    return [Past(*row) for row in await conn.fetch(SQL["history"], *key, below, limit, since or BEGINNING)]


async def history_total(conn: Any, site: int, resource_type: str, resource_id: str, since: datetime | None) -> int:
    """How many versions there are."""
    total: int = await conn.fetchval(
        SQL["history_total"], site, types.number_of[resource_type], resource_id, since or BEGINNING
    )
    return total


async def lock_conditions(conn: Any, site: int, conditions: Iterable[str]) -> None:
    """Holds the conditions until the transaction ends, so that the search that follows sees what the others
    committed."""
    buckets = sorted({zlib.crc32(f"{site} {condition}".encode()) % BUCKETS for condition in conditions})
    await conn.execute(SQL["conditions"], buckets, CONDITION_LOCKS)


async def sites(conn: Any) -> list[Site]:
    """All sites, the default one first."""
    return [Site(*row) for row in await conn.fetch(SQL["sites"])]


async def add_site(conn: Any, name: str, title: str, finess: str, time_zone: str, identifier_systems: str) -> None:
    """Registers a site. identifier_systems: JSON array of URLs"""
    await conn.execute(SQL["add_site"], name, title, finess, time_zone, identifier_systems)


async def stored_counts(conn: Any) -> Sequence[Any]:
    """Rows (site, type, present, deleted)."""
    rows: Sequence[Any] = await conn.fetch(SQL["stored"])
    return rows

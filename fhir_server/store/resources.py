"""What is stored, read by key.

Enters: a connection, a site's number, type and id. Leaves: rows; a body is the bytes that are served.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from datetime import datetime
from itertools import islice
from typing import Any, NamedTuple

from ecluse.core.db import queries
from ecluse.core.db.pool import Connection
from ecluse.core.errors import Gone, NotFound
from ecluse.core.fhir import types
from ecluse.related.registries import Registries

MOST_SITES_TOLD = 100
SQL = queries.load(__package__, "resources.sql")


class Stored(NamedTuple):
    """One version; the body of a deletion is None. erased: it went with all versions before it"""

    pk: int
    version: int
    updated: datetime
    deleted: bool
    body: bytes | None
    erased: bool


class Site(NamedTuple):
    """One identity domain. registries: the search parameters of sites, as the process knows them"""

    number: int
    name: str
    time_zone: str
    registries: Registries


async def current(conn: Connection, site: int, resource_type: str, resource_id: str) -> Stored:
    """The current version.

    Raises: NotFound (404) when nothing was ever stored, Gone (410) when it was deleted, or erased
    """
    row = await conn.fetchrow(SQL["current"], site, types.number_of[resource_type], resource_id)
    return _standing(row, resource_type, resource_id)


async def current_of_keys(conn: Connection, site: int, resource_type: str, keys: Sequence[int]) -> Sequence[Any]:
    """Rows (pk, id, body) of the current versions, in no order."""
    rows: Sequence[Any] = await conn.fetch(SQL["current_of_keys"], site, types.number_of[resource_type], keys)
    return rows


async def version(conn: Connection, site: int, resource_type: str, resource_id: str, version_id: int) -> Stored:
    """One version.

    Raises: NotFound (404) when there is no such version, Gone (410) when it is a deletion
    """
    row = await conn.fetchrow(SQL["version"], site, types.number_of[resource_type], resource_id, version_id)
    return _standing(row, resource_type, f"{resource_id}/_history/{version_id}")


def _standing(row: Any, resource_type: str, address: str) -> Stored:
    if row is None:
        raise NotFound(f"There is no {resource_type}/{address} here.")
    stored = Stored(*row)
    if stored.erased:
        text = f"{resource_type}/{address} was erased with all its versions ($purge); version {stored.version} says so."
        raise Gone(text, version=stored.version)
    if stored.deleted:
        text = f"{resource_type}/{address} was deleted in version {stored.version}; its history tells more."
        raise Gone(text, version=stored.version)
    return stored


async def sites(conn: Connection, registries: Registries | None = None) -> list[Site]:
    """All sites, the default one first."""
    known = registries or Registries()
    return [Site(number, name, zone, known) for number, name, zone in await conn.fetch(SQL["sites"])]


async def check_site(conn: Connection, name: str | None) -> None:
    """Nothing, when the site is registered, or none is named.

    Raises: NotFound (404) with the sites there are"""
    known = [site.name for site in await sites(conn)] if name is not None else []
    if name is not None and name not in known:
        raise no_site(name, known, "site")


def no_site(name: str, known: Iterable[str], expression: str = "") -> NotFound:
    """The error for a site that nobody registered, with those that somebody did."""
    listed = list(islice(known, MOST_SITES_TOLD))
    there = f"{', '.join(listed)}{', …' if len(listed) == MOST_SITES_TOLD else ''}"
    text = f"There is no site {name[:80]!r}; there are {there}. Register another with `ecluse site add`."
    return NotFound(text, expression=expression)


async def add_site(
    conn: Connection, name: str, title: str, finess: str, time_zone: str, identifier_systems: str
) -> None:
    """Registers a site. identifier_systems: JSON array of URLs"""
    await conn.execute(SQL["add_site"], name, title, finess, time_zone, identifier_systems)


async def stored_counts(conn: Connection) -> Sequence[Any]:
    """Rows (site, type, present, deleted)."""
    rows: Sequence[Any] = await conn.fetch(SQL["stored"])
    return rows

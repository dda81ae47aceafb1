"""Versions in the order of time, newest first: of one resource, of a type, of a site.

Enters: a connection, a site's number, what is asked for and the place to go on from. Leaves: rows. The place is a
version that was shown, not a number of rows, so pages neither repeat nor shift while others write.
Spec: http://hl7.org/fhir/R4/http.html#history
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from typing import NamedTuple

from ecluse.core.db import queries
from ecluse.core.db.pool import Connection
from ecluse.core.fhir import types
from ecluse.core.fhir.dates import EARLIEST, LATEST

SQL = queries.load(__package__, "history.sql")
NEWEST = 2**31 - 1
LAST_KEY = 2**63 - 1


class Past(NamedTuple):
    """One line of a history; the body of a deletion is None. posted: the first version, under an id of the server's."""

    pk: int
    type: int
    id: str
    version: int
    updated: datetime
    op: int
    posted: bool
    body: bytes | None


class Window(NamedTuple):
    """Versions made in [since, until) that were still current after `current`."""

    since: datetime = EARLIEST
    until: datetime = LATEST
    current: datetime = EARLIEST


class Place(NamedTuple):
    """A version in the order of time; what follows it is older."""

    updated: datetime = LATEST
    pk: int = LAST_KEY
    version: int = NEWEST


async def of_resource(
    conn: Connection, site: int, address: tuple[str, str], window: Window, place: Place, limit: int
) -> list[Past]:
    """Versions of one resource. address: (type, id)"""
    key = (site, types.number_of[address[0]], address[1])
    return [Past(*row) for row in await conn.fetch(SQL["of_resource"], *key, *window, place.version, limit)]


async def of_resource_total(conn: Connection, site: int, address: tuple[str, str], window: Window) -> tuple[int, int]:
    """How many versions of one resource are stored, and how many of them are asked for."""
    ((stored, asked),) = await conn.fetch(
        SQL["of_resource_total"], site, types.number_of[address[0]], address[1], *window
    )
    return stored, asked


async def of_types(
    conn: Connection, site: int, kinds: Sequence[int], window: Window, place: Place, limit: int
) -> list[Past]:
    """Versions of all resources of these types."""
    arguments = (site, kinds, *window, place.updated, place.pk, limit)
    return [Past(*row) for row in await conn.fetch(SQL["of_types"], *arguments)]


async def of_types_total(conn: Connection, site: int, kinds: Sequence[int], window: Window) -> int:
    """How many versions of resources of these types are asked for."""
    total: int = await conn.fetchval(SQL["of_types_total"], site, kinds, *window)
    return total

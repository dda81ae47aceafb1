"""What belongs to a patient or an encounter, and what that refers to, read in pages.

Enters: a connection, a `Reach` (whose compartment, narrowed by what) and a place to begin after. Leaves: pages of rows
in the order of type and key, bodies as stored. A place is all that a page needs to know of the one before, so a
resource that is there from the first page to the last is on exactly one, whatever others write meanwhile.
Spec: http://hl7.org/fhir/R4/compartmentdefinition.html
"""

from __future__ import annotations

import re
from collections.abc import AsyncIterator, Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime
from functools import cache
from importlib.resources import files
from typing import Any, NamedTuple

import msgspec

from ecluse.core.db import queries
from ecluse.core.db.pool import Connection
from ecluse.core.fhir import types
from ecluse.core.fhir.definitions.search_parameters import Parameter, compartment, parameters, paths
from ecluse.related.follower import Place
from fhir_server.store import resources
from mappers.search import patient

SQL = queries.load(__package__, "compartment.sql")
SIZED = {
    name: SQL["sized"].format(chosen=SQL[name], bytes=f"${last}")
    for name, last in (("members", 13), ("of_all", 10), ("referred_by_all", 8), ("bodies", 5))
}
"""Statements that choose resources, with their bodies until a page is full; the last argument says when."""
PAGE_BYTES = 8 * 1024 * 1024
SCAN_BYTES = 2 * 1024 * 1024
SCAN_ROWS = 1000
BINARY = types.number_of["Binary"]

_REFERENCE = re.compile(rb'"reference":"([A-Z][A-Za-z]+)/([A-Za-z0-9.-]{1,64})[/"]')
_BINARY = re.compile(rb'"url":"(?:[^"\\]+/)?(Binary)/([A-Za-z0-9.-]{1,64})[/"]')
"""Stored bodies are compact, and a quotation mark inside a text has a backslash before it."""


class Row(NamedTuple):
    """A resource on a page. found: how many rows there were at least, of which the page may hold the first few."""

    type: int
    pk: int
    id: str
    body: bytes
    found: int

    @property
    def place(self) -> Place:
        """Where the next page begins."""
        return Place(self.type, self.pk)


@dataclass(frozen=True, slots=True)
class Reach:
    """Whose compartment, and which part of it. ids: of the Patients or Encounters; patients: whose resources may be
    followed to; types: numbers, None for all; care: half-open interval of dates of care."""

    site: int
    name: str
    ids: tuple[str, ...]
    patients: tuple[str, ...]
    types: frozenset[int] | None = None
    since: datetime | None = None
    care: tuple[datetime, datetime] | None = None

    @property
    def dated(self) -> tuple[Any, ...]:
        """Paths of dates of care, from, until: as the statements take them."""
        return (list(_care_paths()), *self.care) if self.care else (None, None, None)


class Referred(NamedTuple):
    """A resource that others refer to."""

    type: int
    pk: int
    id: str
    version: int
    updated: datetime
    patient: str | None
    body: bytes | None


async def members(
    conn: Connection, reach: Reach, after: Place, limit: int, most_bytes: int = PAGE_BYTES, *, narrowed: bool = True
) -> list[Row]:
    """A page of the resources in the compartment. narrowed: by types and since; by dates of care they always are."""
    wanted, since = (reach.types, reach.since) if narrowed else (None, None)
    pairs = [
        (kind, path)
        for kind, path in _compartment_paths(reach.name)
        if kind >= after.type and (wanted is None or kind in wanted)
    ]
    if not pairs:
        return []
    columns = [list(column) for column in zip(*pairs, strict=True)]
    target = types.number_of[reach.name]
    rows = await conn.fetch(
        SIZED["members"], reach.site, *columns, target, list(reach.ids), *after, limit, since, *reach.dated, most_bytes
    )
    return [Row(*row) for row in rows]


async def members_of_all(conn: Connection, reach: Reach, after: Place, limit: int) -> list[Row]:
    """A page of the resources that have any patient, but for the Patients."""
    kinds = set(reach.types if reach.types is not None else types.number_of.values()) - {types.number_of["Patient"]}
    rows = await conn.fetch(
        SIZED["of_all"], reach.site, sorted(kinds), *after, limit, reach.since, *reach.dated, PAGE_BYTES
    )
    return [Row(*row) for row in rows]


async def patients(conn: Connection, reach: Reach, after: Place, limit: int) -> list[Row]:
    """A page of the Patients of a site."""
    kind = types.number_of["Patient"]
    if reach.types is not None and kind not in reach.types:
        return []
    rows = await conn.fetch(
        SIZED["of_all"], reach.site, [kind], *after, limit, reach.since, None, None, None, PAGE_BYTES
    )
    return [Row(*row) for row in rows]


async def referred_by_all(conn: Connection, reach: Reach, after: Place, limit: int) -> list[Row]:
    """A page of the resources of no patient that others refer to."""
    kinds = sorted(reach.types if reach.types is not None else types.number_of.values())
    rows = await conn.fetch(
        SIZED["referred_by_all"], reach.site, kinds, *after, limit, reach.since, list(_reference_paths()), PAGE_BYTES
    )
    return [Row(*row) for row in rows]


async def referred(conn: Connection, reach: Reach, after: Place, limit: int) -> list[Row]:
    """A page of what the compartment refers to, directly or through resources of no patient, and does not hold."""
    found = await _closure(conn, reach)
    wanted = [
        one
        for one in found
        if (one.type, one.pk) > after
        and (reach.types is None or one.type in reach.types)
        and (reach.since is None or one.updated >= reach.since)
    ]
    page = sorted(wanted, key=lambda one: (one.type, one.pk))[:limit]
    columns = [[one[part] for one in page] for part in range(4)]
    return await bodies(conn, columns) if page else []


async def bodies(conn: Connection, columns: Sequence[Sequence[Any]]) -> list[Row]:
    """Some resources with their bodies, in the order of type and key, until a page is full. columns: types, keys, ids,
    versions"""
    return [Row(*row) for row in await conn.fetch(SIZED["bodies"], *columns, PAGE_BYTES)]


async def _closure(conn: Connection, reach: Reach) -> list[Referred]:
    seen: set[tuple[int, str]] = {(types.number_of[reach.name], own) for own in reach.ids}
    asked: set[tuple[int, str]] = set()
    async for rows in all_members(conn, reach):
        seen.update((row.type, row.id) for row in rows)
        asked |= addresses(row.body for row in rows)
    first = await resources.current(conn, reach.site, reach.name, reach.ids[0])
    asked |= addresses([first.body or b""])
    found: list[Referred] = []
    while asked := asked - seen:
        seen |= asked
        columns = [list(column) for column in zip(*asked, strict=True)]
        listed = await conn.fetch(SQL["referred"], reach.site, *columns, list(reach.patients), BINARY)
        reached = [Referred(*row) for row in listed]
        found += reached
        asked = addresses(one.body for one in reached if one.body)
    return found


async def all_members(conn: Connection, reach: Reach) -> AsyncIterator[list[Row]]:
    """Every resource in the compartment, some at a time."""
    place = Place()
    while rows := await members(conn, reach, place, SCAN_ROWS, SCAN_BYTES, narrowed=False):
        yield rows
        place = rows[-1].place


def addresses(bodies: Iterable[bytes]) -> set[tuple[int, str]]:
    """The resources of this server that stored bodies refer to, as (type, id); those of attachments too."""
    texts: set[tuple[bytes, bytes]] = set()
    for body in bodies:
        texts.update(_REFERENCE.findall(body))
        if b"Binary/" in body:
            texts.update(_BINARY.findall(body))
    numbers = ((types.number_of.get(kind.decode()), own.decode()) for kind, own in texts)
    return {(number, own) for number, own in numbers if number}


@cache
def _compartment_paths(name: str) -> tuple[tuple[int, int], ...]:
    """(type, path) of every reference that puts a resource into a compartment, in the order of the types. Types outside
    the compartment that have a patient or subject belong to the patient too (mappers/search/patient.py)."""
    found: list[tuple[int, int]] = []
    for kind, number in types.number_of.items():
        leading = patient.leading(kind) if name == "Patient" else _leading(name, kind)
        found += [(number, path) for parameter in leading for path in parameter.paths]
    return tuple(sorted(set(found)))


def _leading(name: str, kind: str) -> list[Parameter]:
    known = parameters(kind)
    return [known[code] for code in compartment(name).get(kind, ()) if code in known]


@cache
def _reference_paths() -> tuple[int, ...]:
    return tuple(number for number, path in paths().items() if path.kind == "reference")


@cache
def _care_paths() -> tuple[int, ...]:
    told = msgspec.json.decode(files(__package__ or "").joinpath("care_dates.json").read_bytes())["parameters"]
    found = [parameters(kind)[code].paths for kind, codes in told.items() for code in codes]
    return tuple(sorted({path for several in found for path in several}))

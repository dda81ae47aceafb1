"""What operators load for all sites: packages, files of publishers.

Enters: a connection and definitions. Leaves: all of them or none, in one transaction; what is there already in the same
form is passed over, so that a load can be repeated. One load at a time.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterable, Sequence
from contextlib import asynccontextmanager
from datetime import datetime
from typing import NamedTuple

from ecluse.core.db import queries
from ecluse.core.db.pool import Connection
from ecluse.core.errors import NotFound
from ecluse.core.fhir import json, types
from ecluse.core.fhir.packages import Package
from fhir_server.terminology import base, loading
from fhir_server.terminology.loading import Loaded, Origin
from fhir_server.terminology.savepoint import atomic
from mappers.terminology.concept import Json, Source

SQL = queries.load(__package__, "definitions.sql")
KINDS = ("CodeSystem", "ValueSet", "ConceptMap")


class Held(NamedTuple):
    """A definition that is loaded."""

    kind: str
    url: str
    version: str
    source: str
    concepts: int
    loaded_at: datetime


async def take(conn: Connection, source: str, resources: Iterable[Json]) -> list[Loaded]:
    """Takes in the CodeSystems, ValueSets and ConceptMaps of a source, in the place of what it had. Returns: those that
    were not there yet

    source: what they are taken from, `hl7.fhir.uv.ips#1.1.0`"""
    async with _alone(conn):
        left = {tuple(row[:3]): row["digest"] for row in await conn.fetch(SQL["digests"], source)}
        taken: list[Loaded] = []
        for resource in resources:
            if resource.get("resourceType") in KINDS and resource.get("url"):
                key = types.number_of[resource["resourceType"]], resource["url"], resource.get("version", "")
                if left.pop(key, None) != loading.digest(resource):
                    taken.append(await loading.load(conn, Origin(source), resource))
        for key in left:
            await conn.execute(SQL["set_aside_one"], source, *key)
    return taken


async def take_package(conn: Connection, package: Package) -> list[Loaded]:
    """Takes in what a FHIR package defines. Returns: those that were not there yet"""
    resources = (json.decode(one.body) for one in package.definitions if one.type in KINDS)
    return await take(conn, _source(package.name, package.version), resources)


async def drop_package(conn: Connection, name: str, version: str) -> None:
    """Takes away what a FHIR package defines, if anything."""
    async with _alone(conn):
        await conn.execute(SQL["set_aside"], _source(name, version))


def _source(name: str, version: str) -> str:
    return f"{name}#{version}"


async def take_system(conn: Connection, source: str, system: Source, digest: bytes) -> Loaded | None:
    """Takes in a code system, concept by concept. Returns: None when it is there already

    digest: tells whether it is the one that is loaded"""
    async with _alone(conn):
        there = [row["digest"] for row in await conn.fetch(SQL["digests"], source)]
        return None if digest in there else await loading.load_system(conn, Origin(source), system, digest)


async def drop(conn: Connection, name: str) -> int:
    """Takes away what was loaded from a source, or under an address, `url` or `url|version`. Returns: how many

    Raises: NotFound when nothing was"""
    url, _, version = name.partition("|")
    async with _alone(conn):
        gone = await conn.fetch(SQL["drop"], base.SOURCE, name, url, version)
    if not gone:
        raise NotFound(f"Nothing is loaded as {name}; see `ecluse terminology list`.")
    return len(gone)


async def held(conn: Connection) -> Sequence[Held]:
    """Everything that was loaded, without R4's own."""
    rows = await conn.fetch(SQL["listed"], base.SOURCE)
    return [Held(types.name_of[row["type"]], *tuple(row)[1:]) for row in rows]


@asynccontextmanager
async def _alone(conn: Connection) -> AsyncIterator[None]:
    """A transaction in which nobody else loads; it may take as long as it takes."""
    async with atomic(conn):
        await conn.execute("SET LOCAL statement_timeout = 0")
        await conn.fetchval(SQL["lock_state"])
        yield
        await conn.execute(SQL["next_state"], 0)

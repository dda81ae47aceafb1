"""Definitions into the tables, each whole or not at all.

Enters: a connection in the caller's transaction, and a resource or a source of concepts. Leaves: rows. What had the
same address and version is replaced in the same transaction, so that readers see the old one until the new one stands.
Concepts pass one by one: only their codes and places are held in memory.
"""

from __future__ import annotations

import hashlib
from collections.abc import AsyncIterator, Iterator
from typing import Any, NamedTuple

from ecluse.core.db import queries
from ecluse.core.db.pool import Connection
from ecluse.core.fhir import json, types
from mappers.terminology import code_system
from mappers.terminology.concept import Json, Source
from mappers.terminology.hierarchy import hierarchy
from mappers.terminology.rows import COLUMNS, lines

SQL = queries.load(__package__, "definitions.sql")
CHUNK_BYTES = 1 << 16
WORTH_ANALYSING = 1000
DEFINITION = (
    *("pk", "resource_version", "resource_pk", "concepts", "site", "type", "url", "version", "value_set", "source"),
    *("digest", "body", "supplements"),
)


class Origin(NamedTuple):
    """Where a definition comes from. source: a package, a file or a resource; site 0: for all"""

    source: str
    site: int = 0
    resource_pk: int | None = None
    resource_version: int | None = None


class Loaded(NamedTuple):
    """What came of a load. cyclic: codes whose parents led back to them; unknown: parents that are no concepts"""

    url: str
    version: str
    concepts: int
    cyclic: tuple[str, ...] = ()
    unknown: tuple[str, ...] = ()


async def load(conn: Connection, origin: Origin, resource: Json) -> Loaded:
    """Takes in a CodeSystem, ValueSet or ConceptMap."""
    if resource["resourceType"] == "CodeSystem":
        return await load_system(conn, origin, code_system.source(resource), digest(resource))
    await _replace(conn, origin, resource)
    (pk,) = await _keys(conn, 1)
    await _copy_definitions(conn, [_row(pk, origin, resource, 0, digest(resource))])
    return Loaded(resource.get("url", ""), resource.get("version", ""), 0)


async def load_system(conn: Connection, origin: Origin, source: Source, own_digest: bytes) -> Loaded:
    """Takes in a code system, concept by concept."""
    places = hierarchy(source.concepts())
    await _replace(conn, origin, source.header)
    (pk,) = await _keys(conn, 1)
    await copy_concepts(conn, lines(pk, source.concepts(), places))
    await _copy_definitions(conn, [_row(pk, origin, source.header, len(places.number), own_digest)])
    if len(places.number) >= WORTH_ANALYSING:
        await conn.execute("ANALYZE terminology.concept")
    told = source.header.get("url", ""), source.header.get("version", "")
    return Loaded(*told, len(places.number), tuple(places.cyclic), tuple(places.unknown))


async def load_many(conn: Connection, origin: Origin, resources: Iterator[Json]) -> int:
    """Takes in definitions for a database that has none of this origin; quicker than one by one."""
    rows: list[tuple[Any, ...]] = []
    listed = list(resources)
    keys = await _keys(conn, len(listed))

    def concepts() -> Iterator[bytes]:
        for pk, resource in zip(keys, listed, strict=True):
            count = 0
            if resource["resourceType"] == "CodeSystem":
                source = code_system.source(resource)
                resource, places = source.header, hierarchy(source.concepts())
                count = len(places.number)
                yield from lines(pk, source.concepts(), places)
            rows.append(_row(pk, origin, resource, count, b""))

    await copy_concepts(conn, concepts())
    await _copy_definitions(conn, rows)
    await conn.execute("ANALYZE terminology.concept, terminology.definition")
    return len(listed)


async def copy_concepts(conn: Connection, rows: Iterator[bytes]) -> None:
    """Lines of concepts through one COPY, some at a time."""

    async def chunks() -> AsyncIterator[bytes]:
        gathered, size = [], 0
        for row in rows:
            gathered.append(row)
            size += len(row)
            if size >= CHUNK_BYTES:
                yield b"".join(gathered)
                gathered, size = [], 0
        yield b"".join(gathered)

    await conn.copy_to_table("concept", schema_name="terminology", source=chunks(), columns=COLUMNS, format="text")


def digest(resource: Json) -> bytes:
    """Tells whether a definition is the one that is loaded."""
    return hashlib.sha256(json.encode(resource)).digest()


async def sweep(conn: Connection) -> None:
    """Takes away what was set aside a while ago. A request that found a definition reads it in several statements, so
    that its concepts may not go at once."""
    keys = [row["pk"] for row in await conn.fetch(SQL["swept"])]
    if keys:
        await conn.execute(SQL["drop_concepts"], keys)


async def _replace(conn: Connection, origin: Origin, resource: Json) -> None:
    told = types.number_of[resource["resourceType"]], resource.get("url", ""), resource.get("version", "")
    await conn.execute(SQL["replaced"], *told, origin.resource_pk)
    await conn.execute(SQL["forgotten"])
    await sweep(conn)


async def _keys(conn: Connection, count: int) -> list[int]:
    return [row[0] for row in await conn.fetch(SQL["keys"], count)]


def _row(pk: int, origin: Origin, resource: Json, concepts: int, own_digest: bytes) -> tuple[Any, ...]:
    told = resource.get("url", ""), resource.get("version", ""), resource.get("valueSet")
    value_set = told[2] if resource["resourceType"] == "CodeSystem" else None
    place = (
        origin.resource_version,
        origin.resource_pk,
        concepts,
        origin.site,
        types.number_of[resource["resourceType"]],
    )
    supplemented = resource.get("supplements") if resource.get("content") == "supplement" else None
    return (pk, *place, told[0], told[1], value_set, origin.source, own_digest, json.encode(resource), supplemented)


async def _copy_definitions(conn: Connection, rows: list[tuple[Any, ...]]) -> None:
    await conn.copy_records_to_table("definition", schema_name="terminology", columns=DEFINITION, records=rows)

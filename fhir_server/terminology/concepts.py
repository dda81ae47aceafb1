"""Concepts of one code system, by code.

Enters: a connection, a code system, codes. Leaves: what the code system says of them.
"""

from __future__ import annotations

import re
import string
from collections.abc import Iterable, Sequence
from typing import Any, NamedTuple

from ecluse.core.db import queries
from ecluse.core.db.pool import Connection
from ecluse.core.fhir import json
from fhir_server.terminology.composition import Json, System
from mappers.terminology.hierarchy import Interval

SQL = queries.load(__package__, "concepts.sql")
MOST_CHILDREN = 1000
ALIKE = 3
"""Letters that come before any punctuation in the codes that people write with and without it."""
_LOWER = str.maketrans({letter: letter.lower() for letter in string.ascii_uppercase})


class Found(NamedTuple):
    """One concept. under: intervals of positions, itself included; parents: positions"""

    position: int
    code: str
    display: str
    definition: str
    inactive: bool
    abstract: bool
    parents: tuple[int, ...]
    under: tuple[Interval, ...]
    designations: Sequence[Json]
    properties: Sequence[Json]


def lower(code: str) -> str:
    """The code as the index has it: letters of ASCII in lower case, as PostgreSQL does in collation C."""
    return code.translate(_LOWER)


async def lookup(conn: Connection, system: System, code: str) -> Found | None:
    """The concept of this code; in another case only where the code system does not tell cases apart."""
    return (await lookup_all(conn, system, [code])).get(code)


async def lookup_all(conn: Connection, system: System, codes: Iterable[str]) -> dict[str, Found]:
    """The concepts of these codes, by the code that was asked for."""
    asked = list(dict.fromkeys(codes))
    rows = await conn.fetch(SQL["concepts"], system.pk, list({lower(code) for code in asked}))
    exact = {row["code"]: row for row in rows}
    loose = {} if system.case_sensitive else {lower(row["code"]): row for row in rows}
    found = {code: exact.get(code) or loose.get(lower(code)) for code in asked}
    there = {code: _found(row) for code, row in found.items() if row is not None}
    more = await supplemented(conn, system, [one.code for one in there.values()])
    return {code: _with(one, more[one.code]) if one.code in more else one for code, one in there.items()}


class Added(NamedTuple):
    """What supplements say of a concept."""

    designations: list[Json]
    properties: list[Json]


async def supplemented(conn: Connection, system: System | None, codes: Sequence[str]) -> dict[str, Added]:
    """What the supplements of a code system add, by code."""
    added: dict[str, Added] = {}
    if system is not None and system.supplements:
        for row in await conn.fetch(SQL["supplemented"], list(system.supplements), codes):
            one = added.setdefault(row["code"], Added([], []))
            one.designations.extend(listed(row["designation"]))
            one.properties.extend(listed(row["property"]))
    return added


def _with(found: Found, more: Added) -> Found:
    return found._replace(
        designations=together(found.designations, more.designations),
        properties=together(found.properties, more.properties),
    )


def together(own: Iterable[Json], more: Iterable[Json]) -> list[Json]:
    """Both, the own first, and nothing twice."""
    found = list(own)
    found += [one for one in more if one not in found]
    return found


async def named(conn: Connection, system: System, positions: Sequence[int]) -> list[tuple[str, str]]:
    """Code and display at these positions."""
    rows = await conn.fetch(SQL["at"], system.pk, list(positions)) if positions else []
    return [(row["code"], row["display"] or "") for row in rows]


async def children(conn: Connection, system: System, found: Found) -> list[tuple[str, str]]:
    """Code and display of what stands directly below."""
    extent = found.under[0][0], found.under[-1][1]
    if extent[0] == extent[1]:
        return []
    rows = await conn.fetch(SQL["children"], system.pk, found.position, *extent, MOST_CHILDREN)
    return [(row["code"], row["display"] or "") for row in rows]


async def resembling(conn: Connection, system: System, code: str) -> list[str]:
    """Codes that differ from this one in case and punctuation only: E1140 for E11.40."""
    letters = re.sub(r"[^a-z0-9]", "", code.lower())
    if len(letters) < 2:
        return []
    return [row["code"] for row in await conn.fetch(SQL["resembling"], system.pk, letters[:ALIKE], letters)]


def intervals(under: Any) -> tuple[Interval, ...]:
    """A multirange of the database, as first and last positions."""
    return tuple((one.lower, one.upper - 1) for one in under)


def listed(text: str | None) -> Sequence[Json]:
    """Designations or properties of a row."""
    value: Sequence[Json] = json.decode(text.encode()) if text else ()
    return value


def _found(row: Any) -> Found:
    return Found(
        row["position"],
        row["code"],
        row["display"] or "",
        row["definition"] or "",
        row["inactive"],
        row["abstract"],
        tuple(row["parents"]),
        intervals(row["under"]),
        listed(row["designation"]),
        listed(row["property"]),
    )

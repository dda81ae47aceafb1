"""The filters of a value set, as conditions on concepts.

Enters: a code system and its filters. Leaves: conditions; a code that a filter names is looked up here, once.
Spec: http://hl7.org/fhir/R4/valueset-filter-operator.html, http://hl7.org/fhir/R4/codesystem.html#properties
"""

from __future__ import annotations

import asyncpg

from ecluse.core.db.pool import Connection
from ecluse.core.errors import Issue, Unprocessable
from ecluse.core.fhir import json
from fhir_server.terminology import concepts
from fhir_server.terminology.composition import (
    Above,
    At,
    Beside,
    Condition,
    Flag,
    Json,
    Property,
    System,
    Text,
    Under,
)
from fhir_server.terminology.concepts import Found
from fhir_server.terminology.savepoint import atomic
from mappers.terminology.code_system import PROPERTIES

OPERATORS = ("=", "is-a", "descendent-of", "is-not-a", "regex", "in", "not-in", "generalizes", "exists")
TYPES = {
    "code": ("valueCode",),
    "Coding": ("valueCoding",),
    "string": ("valueString",),
    "integer": ("valueInteger",),
    "boolean": ("valueBoolean",),
    "dateTime": ("valueDateTime",),
    "decimal": ("valueDecimal",),
}
ANY_TYPE = ("valueCode", "valueString", "valueCoding", "valueDateTime")
CONCEPT = frozenset({"concept", "code"})
INACTIVE, ABSTRACT = frozenset({"inactive"}), frozenset({"notSelectable", "abstract"})
LONGEST_REGEX = 1000


async def condition(conn: Connection, system: System, asked: Json, place: str) -> Condition:
    """What one filter says.

    place: its FHIRPath, for the error
    Raises: Unprocessable (422) when it cannot be obeyed"""
    name, op, value = asked.get("property", ""), asked.get("op", ""), asked.get("value", "")
    if op not in OPERATORS:
        raise _refused(f"Filters are {', '.join(OPERATORS)}.", place, op)
    if op == "exists" and value not in ("true", "false"):
        raise _refused("The value of exists is true or false.", place, value)
    values = tuple(part.strip() for part in value.split(",")) if op in ("in", "not-in") else (value,)
    if op == "regex":
        await _check_regex(conn, value, place)
    if op in ("is-a", "descendent-of", "is-not-a", "generalizes"):
        return _hierarchical(op, await _concept(conn, system, value, place))
    if name in ("parent", "child") and op in ("=", "in"):
        return await _neighbours(conn, system, name, values, place)
    if name in ("parent", "child"):
        raise _refused(f"{name} is compared with = or in.", place, op)
    if name in CONCEPT or name in ("display", "definition"):
        return Text("code" if name in CONCEPT else name, op, values)
    return _of_property(system, name, op, values, place)


def _hierarchical(op: str, found: Found) -> Condition:
    match op:
        case "is-a":
            return Under(found.under)
        case "is-not-a":
            return Under(found.under, outside=True)
        case "generalizes":
            return Above(found.position)
    return Under(without(found.under, found.position))


def without(intervals: tuple[tuple[int, int], ...], position: int) -> tuple[tuple[int, int], ...]:
    """The intervals without one position."""
    kept: list[tuple[int, int]] = []
    for low, high in intervals:
        pieces = [(low, position - 1), (position + 1, high)] if low <= position <= high else [(low, high)]
        kept += [piece for piece in pieces if piece[0] <= piece[1]]
    return tuple(kept)


async def _neighbours(conn: Connection, system: System, name: str, values: tuple[str, ...], place: str) -> Condition:
    found = [await _concept(conn, system, value, place) for value in values]
    if name == "parent":
        return Beside(tuple(one.position for one in found))
    return At(tuple(position for one in found for position in one.parents))


def _of_property(system: System, name: str, op: str, values: tuple[str, ...], place: str) -> Condition:
    declared = {one.get("code"): one for one in system.header.get("property", ())}
    uri = declared.get(name, {}).get("uri", "").removeprefix(PROPERTIES)
    if op == "=" and {name, uri} & (INACTIVE | ABSTRACT):
        return Flag("inactive" if {name, uri} & INACTIVE else "abstract", values[0] == "true")
    known = {one.get("code") for one in system.header.get("filter", ())} | declared.keys()
    if name not in known:
        there = ", ".join(sorted(str(code) for code in known | CONCEPT | {"display"}))
        raise _refused(f"{system.url} has no property {name!r} to filter by; there: {there}.", place, name)
    types = TYPES.get(declared.get(name, {}).get("type", ""), ANY_TYPE)
    if types in (TYPES["integer"], TYPES["decimal"]) and op in ("=", "in", "not-in"):
        _check_numbers(values, place)
    return Property(name, op, values, types)


def _check_numbers(values: tuple[str, ...], place: str) -> None:
    for value in values:
        if not json.is_bounded(value):
            raise _refused("This property is a number.", place, value)


async def _concept(conn: Connection, system: System, code: str, place: str) -> Found:
    found = await concepts.lookup(conn, system, code)
    if found is None:
        raise _refused(f"The filter names {code!r}, which is no code of {system.canonical}.", place, code)
    return found


async def _check_regex(conn: Connection, pattern: str, place: str) -> None:
    if len(pattern) > LONGEST_REGEX:
        raise _refused(f"A regular expression has at most {LONGEST_REGEX} characters.", place, pattern)
    try:
        async with atomic(conn):
            await conn.fetchval("SELECT '' ~ $1", f"^(?:{pattern})$")
    except asyncpg.InvalidRegularExpressionError:
        raise _refused("This regular expression cannot be read.", place, pattern) from None


def _refused(text: str, place: str, found: str) -> Unprocessable:
    return Unprocessable(issues=[Issue(text, place, f"found {found[:80]!r}", "invalid")])

"""What a store holds, as values to search for: everything is taken from its own resources.

Enters: a connection to the store. Leaves: a `Sample`. How values are indexed does not matter here.
"""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import asyncpg
import msgspec

from ecluse.core.db import queries
from ecluse.core.fhir.types import number_of

SQL = queries.load(__package__, "sample.sql")
ENOUGH = 4000
FEW = 10
"""Codes with fewer quantities than this have no distribution."""

Code = str
"""`system|code`, as a search writes it."""


@dataclass(frozen=True, slots=True)
class Sample:
    """patients: ids; pairs: a patient and a code that the patient has; quantities, components: values by code, in
    order; codes come in the order of how often they occur; months: of encounters, "2018-05"; instants: of updates"""

    patients: list[str]
    families: list[str]
    given: list[str]
    pairs: list[tuple[str, Code]]
    codes: list[Code]
    quantities: dict[Code, list[float]]
    components: dict[Code, list[float]]
    conditions: list[Code]
    months: list[str]
    instants: list[str]


async def resources(conn: asyncpg.Connection) -> int:
    """How many resources the store has."""
    return int(await conn.fetchval(SQL["resources"]))


async def take(conn: asyncpg.Connection) -> Sample:
    """A sample of the store."""
    patients = await _bodies(conn, "Patient")
    observations = await _bodies(conn, "Observation")
    names = [name for patient in patients for name in patient.get("name", [])]
    coded = [(one, code) for one in observations for code in _code(one)]
    quantities = _values((code, one) for one, code in coded)
    components = _values(
        (code, part) for one in observations for part in one.get("component", []) for code in _code(part)
    )
    conditions = Counter(code for one in await _bodies(conn, "Condition") for code in _code(one))
    starts = [one.get("period", {}).get("start", "")[:7] for one in await _bodies(conn, "Encounter")]
    instants = [row[0].isoformat() for row in await conn.fetch(SQL["instants"], number_of["Observation"])]
    return Sample(
        [patient["id"] for patient in patients],
        sorted({name["family"] for name in names if "family" in name}),
        sorted({given for name in names for given in name.get("given", [])}),
        [(one["subject"]["reference"].split("/")[1], code) for one, code in coded if "subject" in one],
        _by_frequency(Counter(code for _, code in coded)),
        quantities,
        components,
        _by_frequency(conditions),
        sorted({start for start in starts if len(start) == 7}),
        instants,
    )


async def _bodies(conn: asyncpg.Connection, kind: str) -> list[dict[str, Any]]:
    number = number_of[kind]
    every = 1 + await conn.fetchval(SQL["of_type"], number) // ENOUGH
    return [msgspec.json.decode(row[0]) for row in await conn.fetch(SQL["bodies"], number, every, ENOUGH)]


def _code(holder: dict[str, Any]) -> list[Code]:
    """The first coding of `code`."""
    codings = holder.get("code", {}).get("coding", [])[:1]
    return [f"{one.get('system', '')}|{one['code']}" for one in codings if "code" in one]


def _values(coded: Iterator[tuple[Code, dict[str, Any]]]) -> dict[Code, list[float]]:
    found: dict[Code, list[float]] = defaultdict(list)
    for code, holder in coded:
        if "value" in holder.get("valueQuantity", {}):
            found[code].append(holder["valueQuantity"]["value"])
    frequent = sorted(found, key=lambda code: (-len(found[code]), code))
    return {code: sorted(found[code]) for code in frequent if len(found[code]) >= FEW}


def _by_frequency(counted: Counter[Code]) -> list[Code]:
    return sorted(counted, key=lambda code: (-counted[code], code))

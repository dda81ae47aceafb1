"""Which concept maps a translation may use, and what they say.

Enters: a connection, a site, codings and what the request names. Leaves: correspondences, each with its map.
Spec: http://hl7.org/fhir/R4/conceptmap-operation-translate.html
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import NamedTuple

from ecluse.core.db import queries
from ecluse.core.db.pool import Connection
from ecluse.core.fhir import json, types
from ecluse.core.fhir.code_systems import canonical
from fhir_server.terminology import base, definitions
from fhir_server.terminology.composition import Json
from fhir_server.terminology.definitions import Definition
from fhir_server.terminology.membership import Coding
from mappers.terminology.concept_map import Dependencies, Table, Target, other_map, table, translated, translated_back

SQL = queries.load(__package__, "definitions.sql")
MOST_HOPS = 5
REMEMBERED = 16


class Match(NamedTuple):
    """A correspondence, and the map that has it."""

    target: Target
    source: str


@dataclass(frozen=True, slots=True)
class Wish:
    """What a translation is to lead from and to. source, target: value sets; system: a code system to translate to"""

    source: str = ""
    target: str = ""
    system: str = ""
    reverse: bool = False


@dataclass(frozen=True, slots=True)
class Asked:
    """What is to be translated, and how. dependencies: what other elements have"""

    coding: Coding
    wish: Wish
    dependencies: Dependencies


async def maps(conn: Connection, site: int, wish: Wish) -> list[Definition]:
    """Every map that may be used when the request names none: those between the value sets that it names."""
    await base.settle(conn)
    await definitions.read_all(conn, site, "ConceptMap")
    rows = await conn.fetch(SQL["of_type"], site, types.number_of["ConceptMap"])
    by_url: dict[str, list[Definition]] = {}
    for row in rows:
        found = Definition(*row)
        by_url.setdefault(found.url or f"#{found.pk}", []).append(found)
    latest = [definitions.chosen(versions) for versions in by_url.values()]
    return [one for one in latest if one is not None and _fits(one, wish)]


async def matches(conn: Connection, site: int, given: Iterable[Definition], asked: Asked) -> list[Match]:
    """What the maps say of one coding."""
    found: list[Match] = []
    for definition in given:
        found += await _of_map(conn, site, definition, asked, MOST_HOPS)
    if asked.wish.system:
        wanted = canonical(asked.wish.system)
        found = [one for one in found if canonical(one.target.system) == wanted or not one.target.code]
    return found


async def _of_map(conn: Connection, site: int, definition: Definition, asked: Asked, hops: int) -> Sequence[Match]:
    own, address = _table(definition.body), definition.canonical
    coding = asked.coding
    if asked.wish.reverse:
        return [Match(one, address) for one in translated_back(own, coding.system, coding.code)]
    found = [Match(one, address) for one in translated(own, coding.system, coding.code, asked.dependencies)]
    other = "" if found or not hops else other_map(own, coding.system)
    following = await definitions.find(conn, site, "ConceptMap", other) if other else None
    return found if following is None else await _of_map(conn, site, following, asked, hops - 1)


@lru_cache(maxsize=REMEMBERED)
def _table(body: bytes) -> Table:
    """The map of these bytes; what they say cannot change, so it may be remembered."""
    resource: Json = json.decode(body)
    return table(resource)


def _fits(definition: Definition, wish: Wish) -> bool:
    resource = definition.resource
    source, target = _side(resource, "source"), _side(resource, "target")
    if wish.reverse:
        source, target = target, source
    return wish.source in ("", source) and wish.target in ("", target)


def _side(resource: Json, name: str) -> str:
    told = resource.get(f"{name}Canonical") or resource.get(f"{name}Uri") or ""
    return str(told).partition("|")[0]

"""Which resources match a condition: `identifier=https://rpps.esante.gouv.fr|10001234567`.

Enters: a connection in the caller's transaction, and search criteria. Leaves: ids and versions. The caller holds the
locks of its conditions when it will write by what it found or did not find.
Spec: http://hl7.org/fhir/R4/http.html#cond-update, http://hl7.org/fhir/R4/http.html#trules
"""

from __future__ import annotations

import re
import zlib
from collections.abc import Iterable, Sequence
from functools import partial
from typing import NamedTuple
from urllib.parse import parse_qsl

from ecluse.core.db.pool import Connection
from ecluse.core.errors import BadRequest, PreconditionFailed
from ecluse.core.fhir.types import number_of
from fhir_server.search.compile import matches
from fhir_server.search.control import CONTROLS
from fhir_server.search.parse import parse_criteria
from fhir_server.search.query import Clause, SearchQuery
from fhir_server.search.terms import resolved
from fhir_server.store.resources import SQL, Site
from mappers.search.question import Token

LOCKS = 0x46484952
BUCKETS = 1024
SEVERAL = 2
_ADDRESS = re.compile(r"[^?=&]*\?")


class Match(NamedTuple):
    """A resource that matches, in the version that the search saw."""

    id: str
    version: int


async def lock_conditions(conn: Connection, site: int, conditions: Iterable[tuple[str, str]]) -> None:
    """Holds conditions, (type, criteria), until the transaction ends, so that the search that follows sees what the
    other holders committed."""
    buckets = sorted({zlib.crc32(_name(site, *condition).encode()) % BUCKETS for condition in conditions})
    await conn.execute(SQL["conditions"], buckets, LOCKS)


async def matching(conn: Connection, site: Site, resource_type: str, criteria: str, most: int = SEVERAL) -> list[Match]:
    """The resources that match, so many at most.

    Raises: BadRequest (400) when the criteria cannot be read
    """
    query = await _understood(conn, site, resource_type, criteria)
    sql, arguments = matches(site.number, await resolved(conn, site.number, query), most)
    return [Match(row["id"], row["version"]) for row in await conn.fetch(sql, *arguments)]


async def one_match(conn: Connection, site: Site, resource_type: str, criteria: str) -> Match | None:
    """The one resource that matches, None when none does.

    Raises: PreconditionFailed (412) when several match, BadRequest (400) when the criteria cannot be read
    """
    return sole(resource_type, criteria, await matching(conn, site, resource_type, criteria))


async def only_match(conn: Connection, site: Site, resource_type: str, criteria: str) -> str | None:
    """The id of the one resource that matches, as `one_match`."""
    match = await one_match(conn, site, resource_type, criteria)
    return match and match.id


async def matching_codes(
    conn: Connection, site: Site, asked: Iterable[tuple[str, str]]
) -> dict[tuple[str, str], list[Match]]:
    """The resources that match conditions, (type, criteria), two of each at most, found by one statement. Conditions
    that are not just one code of one system, such as an identifier, or cannot be read, are left out."""
    found: dict[tuple[str, str], list[Match]] = {}
    rows: list[tuple[int, int, int, int | None, str | None]] = []
    for resource_type, criteria in dict.fromkeys(asked):
        code = await _code(conn, site, resource_type, criteria)
        if code is not None:
            paths, token = code
            rows += [(len(found), number_of[resource_type], path, *token[:2]) for path in paths]
            found[resource_type, criteria] = []
    if rows:
        lists = list(found.values())
        columns = map(list, zip(*rows, strict=True))
        for row in await conn.fetch(SQL["of_codes"], site.number, *columns, SEVERAL):
            lists[row["place"]].append(Match(row["id"], row["version"]))
    return {condition: list(dict.fromkeys(matches)) for condition, matches in found.items()}


async def _code(
    conn: Connection, site: Site, resource_type: str, criteria: str
) -> tuple[tuple[int, ...], Token] | None:
    """Paths and code of a condition that is nothing else, and has one spelling."""
    if resource_type not in number_of:
        return None
    try:
        query = await _understood(conn, site, resource_type, criteria)
    except BadRequest:
        return None
    match query.conditions:
        case (Clause(kind="token", paths=paths, values=(Token(int(), str(), "") as token,)),):
            return paths, token
    return None


async def _understood(conn: Connection, site: Site, resource_type: str, criteria: str) -> SearchQuery:
    text = criteria_of(criteria)
    return await site.registries.understood(conn, site.number, text, partial(parse_criteria, resource_type, text))


def sole(resource_type: str, criteria: str, found: Sequence[Match]) -> Match | None:
    """The one match of a condition, None when it has none.

    Raises: PreconditionFailed (412) when it has several
    """
    if len(found) > 1:
        raise several(resource_type, criteria)
    return found[0] if found else None


def several(resource_type: str, criteria: str) -> PreconditionFailed:
    """The error of a condition that was to have one match."""
    return PreconditionFailed(
        f"Several {resource_type} resources match; make the condition narrower or remove the duplicates.",
        diagnostics=f"{resource_type}?{criteria_of(criteria)}",
    )


def _name(site: int, resource_type: str, criteria: str) -> str:
    """One text for a condition, however it is written."""
    return f"{site} {resource_type} {sorted(_asked(criteria_of(criteria)))}"


def asked_in(query: str) -> str:
    """The query of an address when it asks for resources, and does not only say how to answer; else nothing."""
    return query if _asked(query) else ""


def _asked(criteria: str) -> list[tuple[str, str]]:
    return [pair for pair in parse_qsl(criteria) if pair[0] not in CONTROLS]


def criteria_of(text: str) -> str:
    """The criteria alone: some clients write the whole address, `Patient?identifier=…`, into If-None-Exist."""
    found = _ADDRESS.match(text)
    return text[found.end() :] if found else text

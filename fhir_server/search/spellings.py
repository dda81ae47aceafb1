"""The spellings of codes whose system does not look at case.

Enters: a connection, and a clause as it was parsed. Leaves: the clause with every spelling that stands in the index.
Rows have codes as they were written, so that no row hangs on which code systems are loaded, and a code system that
comes later changes searches at once.
Spec: http://hl7.org/fhir/R4/search.html#token, http://hl7.org/fhir/R4/codesystem-definitions.html#CodeSystem.caseSensitive
"""

from __future__ import annotations

from ecluse.core.db import queries
from ecluse.core.db.pool import Connection
from ecluse.core.errors import BadRequest
from fhir_server.search.conditions import LAST
from fhir_server.search.query import Clause
from fhir_server.terminology import definitions
from mappers.search.question import Other, Token, Value

SQL = queries.load(__package__, "terms.sql")
MOST = 1000
"""Spellings of one code."""


def may_differ(clause: Clause) -> bool:
    """Whether one of its codes may stand in the index in another case."""
    return any(map(_may_differ, clause.values))


def _may_differ(value: Value) -> bool:
    if isinstance(value, Other):
        return any(map(_may_differ, value.values))
    return isinstance(value, Token) and value.address != ""


async def spelled(conn: Connection, site: int, clause: Clause) -> Clause:
    """The clause with all spellings of its codes.

    Raises: BadRequest (400) when a code has too many"""
    if not may_differ(clause):
        return clause
    values: list[Value] = []
    for value in clause.values:
        if isinstance(value, Other):
            other = [each for one in value.values for each in await _spellings(conn, site, clause, one)]
            values.append(value._replace(values=tuple(other)))
        else:
            values += await _spellings(conn, site, clause, value)
    return clause._replace(values=tuple(dict.fromkeys(values)))


async def _spellings(conn: Connection, site: int, clause: Clause, value: Value) -> list[Value]:
    if not isinstance(value, Token) or not value.address or value.code is None:
        return [value]
    own = value._replace(address="")
    if await _is_case_sensitive(conn, site, value.address):
        return [own]
    small, large = parts_of(value.code)
    rows = await conn.fetch(SQL["spelled"], site, clause.paths, small, large, LAST, MOST + 1)
    if len(rows) > MOST:
        raise BadRequest(f"{clause.code}: {value.code[:80]} is written in more than {MOST} ways; ask for some of them.")
    found = sorted(row["code"] for row in rows)
    return [own, *(own._replace(code=code) for code in found if code != own.code)]


async def _is_case_sensitive(conn: Connection, site: int, address: str) -> bool:
    """Whether case counts: unless a code system that is here says that it does not. Of R4's own none does."""
    found = definitions.chosen(await definitions.present(conn, site, "CodeSystem", address))
    return found is None or found.resource.get("caseSensitive") is not False


def parts_of(code: str) -> tuple[list[str], list[str]]:
    """The code in parts that have one letter each, in both cases."""
    small, large = [""], [""]
    begun = False
    for sign in code:
        forms = sign.lower(), sign.upper()
        if len(forms[0]) != 1 or len(forms[1]) != 1:
            forms = sign, sign
        if forms[0] != forms[1]:
            if begun:
                small.append("")
                large.append("")
            begun = True
        small[-1] += forms[0]
        large[-1] += forms[1]
    return small, large

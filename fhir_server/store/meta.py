"""The profiles, tags and security labels that the resources of a site carry, each once.

Enters: a connection, a site's number and resource types. Leaves: a Meta. Read from the search index, value by value, so
that the cost is that of the values and not of the resources.
Spec: http://hl7.org/fhir/R4/resource-operation-meta.html
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import Any

from ecluse.core.db import queries
from ecluse.core.db.pool import Connection
from ecluse.core.errors import Unprocessable
from ecluse.core.fhir import json
from ecluse.core.fhir.definitions.search_parameters import paths_of
from mappers.search.token import normalise, system_key

SQL = queries.load(__package__, "meta.sql")
MOST = 10_000
CODINGS = ("security", "tag")


async def distinct(conn: Connection, site: int, kinds: Iterable[str]) -> dict[str, Any]:
    """Every profile, security label and tag of resources of these types.

    Raises: Unprocessable (422) when there are more than anyone reads"""
    names = tuple(kinds)
    profiles = await _values(conn, site, names, "profile")
    found: dict[str, Any] = {"profile": list(dict.fromkeys(row["code"] for row in profiles))}
    for member in CODINGS:
        values = await _values(conn, site, names, member)
        columns = [row["path"] for row in values], [row["code"] for row in values]
        rows = await conn.fetch(SQL["examples"], site, *columns)
        found[member] = [coding for row in rows for coding in _codings(row, member)]
    return {member: values for member, values in found.items() if values}


async def _values(conn: Connection, site: int, kinds: Iterable[str], member: str) -> list[Any]:
    wanted = [path.number for kind in kinds for path in paths_of(kind) if path.text == f"{kind}.meta.{member}"]
    rows: list[Any] = await conn.fetch(SQL["values"], site, wanted, MOST + 1)
    if len(rows) > MOST:
        text = f"There are more than {MOST} values of meta.{member}; ask one type, or search for the one you want."
        raise Unprocessable(text, expression=f"Meta.{member}")
    return rows


def _codings(row: Any, member: str) -> Iterator[dict[str, Any]]:
    """The coding that the row stands for, as a resource has it."""
    resource = json.decode(row["body"]) if row["body"] else {}
    for coding in resource.get("meta", {}).get(member, ()):
        system, code = coding.get("system"), coding.get("code")
        if normalise(code or "") == row["code"] and (system_key(system) if system else 0) == row["system"]:
            yield coding
            return

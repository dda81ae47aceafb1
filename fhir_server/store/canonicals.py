"""Stored resources by their canonical: `url`, or `url|version`.

Enters: a connection, a site and a canonical. Leaves: the resource that it means.
Spec: http://hl7.org/fhir/R4/references.html#canonical
"""

from __future__ import annotations

import re
from typing import Any

from ecluse.core.db import queries
from ecluse.core.db.pool import Connection
from ecluse.core.fhir import json, types
from ecluse.core.fhir.definitions.search_parameters import paths_of
from mappers.search import uri

SQL = queries.load(__package__, "canonicals.sql")


async def of_canonical(conn: Connection, site: int, kind: str, canonical: str) -> dict[str, Any] | None:
    """The resource under this address, in the version that it names; else the one of the latest version. None when
    there is none."""
    url, _, version = canonical.partition("|")
    rows = await conn.fetch(SQL["of_canonical"], site, types.number_of[kind], url_path(kind), uri.normalise(url))
    found = [one for row in rows if (one := json.decode(row["body"])).get("url") == url]
    named = [one for one in found if version and one.get("version") == version]
    return max(named or found, key=lambda one: version_key(one.get("version", "")), default=None)


def url_path(kind: str) -> int:
    """The number of the path under which the index holds the addresses of a type."""
    return next(path.number for path in paths_of(kind) if path.text == f"{kind}.url")


def version_key(version: str) -> list[tuple[int, str]]:
    """What orders versions: their numbers as numbers, `1.10` after `1.9`."""
    return [(int(part), "") if part.isdigit() else (-1, part) for part in re.findall(r"\d{1,18}|\D+", version)]

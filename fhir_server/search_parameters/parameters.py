"""The rows of parameters made at run time, for those who change them or tell of them.

Enters: a connection. Leaves: statements, and rows as operators see them; what a search has of them is
ecluse/related/registries.py.
"""

from __future__ import annotations

from typing import Any

from ecluse.core.db import queries
from ecluse.core.db.pool import Connection
from ecluse.core.fhir import json

SQL = queries.load(__package__, "parameters.sql")


async def standing(conn: Connection) -> list[dict[str, Any]]:
    """The parameters made at run time, of all sites, as operators see them."""
    rows = [dict(row) for row in await conn.fetch(SQL["told_everywhere"])]
    return [{**row, "base": list(json.decode(row["base"]))} for row in rows]

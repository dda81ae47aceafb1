"""What the live flow wrote, as against what came in the lane of history.

Enters: keys of resources that the caller has locked, or has just read. Leaves: those that history leaves alone.
"""

from __future__ import annotations

from collections.abc import Sequence

from ecluse.core.db import queries
from ecluse.core.db.pool import Connection

SQL = queries.load(__package__, "live.sql")


async def keys(conn: Connection, pks: Sequence[int]) -> frozenset[int]:
    """Those of these keys under which any version came live, a deletion too, or which were erased."""
    return frozenset(row[0] for row in await conn.fetch(SQL["live"], pks)) if pks else frozenset()

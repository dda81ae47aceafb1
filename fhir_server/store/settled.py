"""Up to when a reader has seen everything, whatever is still being written.

Enters: a connection. Leaves: an instant. Who asks the next time for what is younger than it misses no transaction that
was late with its commit.
"""

from __future__ import annotations

from datetime import datetime

from ecluse.core.db import queries
from ecluse.core.db.pool import APPLICATION, Connection

SQL = queries.load(__package__, "settled.sql")


async def settled(conn: Connection) -> datetime:
    """The instant up to which every version is in a snapshot that is taken after this call."""
    moment: datetime = await conn.fetchval(SQL["settled"], APPLICATION)
    return moment

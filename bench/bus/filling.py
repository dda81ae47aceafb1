"""An outbox with hundreds of thousands of events, made inside of the database of a few thousand.

Enters: the address of a store that was filled by the server. Leaves: copies of its resources beside them, each with
keys, ids, patient and references of its own, in its body too, and an event of each in the live lane. Their search rows
are left out: nobody searches here.
"""

from __future__ import annotations

import asyncpg

from bench.search.copies import SQL as KEYS
from bench.search.copies import UUID
from ecluse.core.db import queries
from fhir_server.store.keys import BLOCK

SQL = queries.load(__package__, "filling.sql")


async def fill(store: str, events: int) -> int:
    """How many events there are then, a few more than asked for."""
    conn = await asyncpg.connect(store, command_timeout=None)
    await conn.execute("SET synchronous_commit = off; SET statement_timeout = 0")
    before, last = await conn.fetchval(SQL["events"]), await conn.fetchval(KEYS["last_key"])
    shift = (last // BLOCK + 1) * BLOCK
    copies = max(0, -(-(events - before) // before))
    await conn.execute(KEYS["skip_keys"], (copies + 1) * shift // BLOCK + 1)
    for copy in range(1, copies + 1):
        await conn.execute(SQL["copy"], copy * shift, f"-{copy}", shift, UUID, f"\\&-{copy}")
    await conn.execute("VACUUM (ANALYZE)")
    count: int = await conn.fetchval(SQL["events"])
    await conn.close()
    return count

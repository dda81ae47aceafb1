"""The limit of the machine in this run: how fast PostgreSQL takes the same bodies when it does nothing else with them.

COPY of the bodies as text into one logged heap (bigint, text) without index, 300 rows a commit, one connection, median
of five."""

from __future__ import annotations

import statistics
import time
from collections.abc import Sequence

import asyncpg

ROWS_A_COMMIT = 300
REPEATS = 5


async def copy_rows_per_s(url: str, bodies: Sequence[str]) -> float:
    """Rows a second, median of five."""
    conn = await asyncpg.connect(url)
    try:
        return statistics.median([await _once(conn, bodies) for _ in range(REPEATS)])
    finally:
        await conn.close()


async def _once(conn: asyncpg.Connection, bodies: Sequence[str]) -> float:
    await conn.execute(
        "DROP TABLE IF EXISTS public.bench_limit; CREATE TABLE public.bench_limit (key bigint, body text)"
    )
    started = time.monotonic()
    for start in range(0, len(bodies), ROWS_A_COMMIT):
        rows = list(enumerate(bodies[start : start + ROWS_A_COMMIT], start))
        async with conn.transaction():
            await conn.copy_records_to_table("bench_limit", schema_name="public", records=rows)
    elapsed = time.monotonic() - started
    await conn.execute("DROP TABLE public.bench_limit")
    return len(bodies) / elapsed

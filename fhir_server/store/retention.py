"""What is kept for a time only: first answers to Idempotency-Keys, and rows of the intake to which no version points.

Enters: the store's pool and the times. Leaves: nothing older. A look removes a bounded number of rows in transactions
of their own; one process at a time does it.
"""

from __future__ import annotations

from datetime import timedelta
from functools import partial
from typing import Any

from ecluse.core import clock
from ecluse.core.db.pool import Connection, Pool
from ecluse.core.db.upkeep import only_one, repeated
from ecluse.core.settings import Settings
from fhir_server.store import answers, intake

EVERY_S = 60.0
LOCK = 0x5245_5441
MOST_AT_ONCE = 2000
MOST_ROUNDS = 50


async def keep(pool: Pool, settings: Settings) -> None:
    """Looks every minute until cancelled."""
    await repeated(partial(remove, pool, settings), EVERY_S)


async def remove(pool: Pool, settings: Settings) -> int:
    """How many rows were removed; none when another process is at it."""
    now = clock.now()
    kept = {
        answers.SQL["forget_answers"]: now - timedelta(days=settings.idempotency_days),
        intake.SQL["forget"]: now - timedelta(days=settings.intake_days),
    }
    async with pool.acquire() as conn, only_one(conn, LOCK) as alone:
        return sum([await _all(conn, statement, before) for statement, before in kept.items()]) if alone else 0


async def _all(conn: Connection, statement: str, before: Any) -> int:
    removed = 0
    for _ in range(MOST_ROUNDS):
        told: str = await conn.execute(statement, before, MOST_AT_ONCE)
        count = int(told.split()[-1])
        removed += count
        if count < MOST_AT_ONCE:
            break
    return removed

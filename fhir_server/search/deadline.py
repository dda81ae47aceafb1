"""How long a search may take.

Enters: milliseconds. Leaves: a block that is stopped after them, and the database with it. One limit holds for all
statements of a search: its page, its total, what it includes.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from ecluse.core.errors import TooSlow

ADVICE = (
    "The search was stopped after {limit_ms} ms (ECLUSE_SEARCH_TIMEOUT_MS). Ask for less: add a parameter that few"
    " resources match (patient, identifier, a code with its system), narrow the dates, or leave out _total, _sort and"
    " _include."
)


@asynccontextmanager
async def bounded(limit_ms: int) -> AsyncIterator[None]:
    """A block of awaited statements; the one that runs when the time is over is cancelled in the database.

    Raises: TooSlow (503), which says what to ask instead
    """
    try:
        async with asyncio.timeout(limit_ms / 1000):
            yield
    except TimeoutError as error:
        raise TooSlow(ADVICE.format(limit_ms=limit_ms)) from error

"""Long work in slices, so that one large bundle does not hold up everybody else's requests."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Iterable
from typing import TypeVar

from ecluse.core import clock

Item = TypeVar("Item")
SLICE_S = 0.004


async def in_slices(items: Iterable[Item]) -> AsyncIterator[Item]:
    """The items one by one; after each few milliseconds of the caller's work the event loop gets a turn."""
    started = clock.monotonic()
    for item in items:
        yield item
        if clock.monotonic() - started > SLICE_S:
            await asyncio.sleep(0)
            started = clock.monotonic()

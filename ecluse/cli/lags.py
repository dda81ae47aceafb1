"""How far all consumers are, for pages and scrapes that have to answer when the broker does not.

Enters: opened databases. Leaves: the lag of each consumer by name, or nothing while the broker does not answer: who
asks then tells everything else, alarms above all. One question at a time is on its way, however many ask.
"""

from __future__ import annotations

import asyncio
from collections.abc import Mapping

from consumers import registry
from consumers.lag import Lag, lag
from ecluse.core.db.databases import Databases
from ecluse.core.errors import Unavailable
from ecluse.core.settings import Settings

PATIENCE_S = 4.0
"""How long a page or a scrape waits for the broker; Prometheus waits for ten seconds in all."""
NOT_KNOWN: Mapping[str, Lag] = {}


async def lags(settings: Settings, databases: Databases) -> Mapping[str, Lag]:
    """By consumer; NOT_KNOWN when the broker is away."""
    try:
        sinks, _ = registry.standing(settings, databases)
        return {name: await lag(settings, databases, sink) for name, sink in sinks.items()}
    except Unavailable:
        return NOT_KNOWN


class Lags:
    """Of one server process."""

    def __init__(self, settings: Settings) -> None:
        self._settings = settings
        self._asking: asyncio.Task[Mapping[str, Lag]] | None = None

    async def present(self, databases: Databases) -> Mapping[str, Lag]:
        """By consumer; NOT_KNOWN when the broker has not answered in time."""
        if self._asking is None or self._asking.done():
            self._asking = asyncio.create_task(lags(self._settings, databases))
        asking = self._asking
        done, _ = await asyncio.wait({asking}, timeout=PATIENCE_S)
        return asking.result() if done else NOT_KNOWN

"""`ecluse replay`: what a consumer holds is made anew, from the present state of the store."""

from __future__ import annotations

from rich.console import Console

from consumers import place, registry, resync
from ecluse.core.db.databases import open_databases
from ecluse.core.errors import BadRequest
from ecluse.core.settings import Settings

SENT_ONCE = "Notifications are sent once; an app asks for them again by its Subscription's $events or $resend."


async def refill(settings: Settings, consumer: str) -> None:
    """Asks the running consumer for a walk through the store.

    Raises: NotFound (404) when none has this name, BadRequest (400) when it walks already, has never run, or repeats
    nothing"""
    async with open_databases(settings, migrate=True) as databases:
        sink = registry.sink(settings, databases, consumer)
        if sink.name == "subscriptions":
            raise BadRequest(SENT_ONCE)
        if not await resync.request(sink.pool, sink.name):
            if await resync.progress(sink.pool, sink.name) is None:
                raise BadRequest(f"{consumer} has never run; when it is started it begins with what is stored.")
            raise BadRequest(f"{consumer} is walking through the store already; `ecluse status` shows where it is.")
        runs = await place.processes(sink.pool, sink.name)
    when = "now" if runs else "once it is started: no process of it runs"
    Console().print(f"{consumer} is made anew, {when}; what is live goes on. `ecluse status` shows where it is.")

"""`ecluse replay`: what a consumer holds is made anew, from the present state of the store."""

from __future__ import annotations

from collections.abc import Mapping

from rich.table import Table

from consumers import place, registry, resync
from consumers import shadow as built
from consumers.beside import Copy, Difference
from consumers.shadow import Source
from ecluse.cli.terminal import terminal
from ecluse.core.db.databases import Databases, open_databases
from ecluse.core.errors import BadRequest
from ecluse.core.settings import Settings

A_FEED = (
    "A feed has no shadow: it is a log that recipients have read, and what they have cannot be exchanged. "
    "`ecluse replay {name}` appends what is new to it."
)
INTO_A_SHADOW = "--from topic fills a shadow: add --into shadow. The running consumer is made anew from the store."
SENT_ONCE = "Notifications are sent once; an app asks for them again by its Subscription's $events or $resend."


async def live(settings: Settings, consumer: str, source: Source) -> None:
    """Asks the running consumer for a walk through the store.

    Raises: NotFound (404) when none has this name, BadRequest (400) when it walks already, has never run, or repeats
    nothing, and for topics"""
    if source == "topic":
        raise BadRequest(INTO_A_SHADOW)
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
    terminal().print(f"{consumer} is made anew, {when}; what is live goes on. `ecluse status` shows where it is.")


async def shadow(settings: Settings, consumer: str, source: Source) -> None:
    """Builds a shadow of a consumer, swaps it in, and prints what differed.

    Raises: what shadow.build raises; NotFound (404) and BadRequest (400) for a consumer that has none"""
    console = terminal()
    async with open_databases(settings, migrate=True) as databases:
        copy = _copy(settings, databases, consumer)
        with console.status("begins") as status:
            told = ""

            def say(words: str) -> None:
                nonlocal told
                status.update(words)
                if words != told and not console.is_terminal:
                    console.print(words)
                told = words

            found = await built.build(settings, databases, copy, source, say)
    console.print(_table(found))


async def abort(settings: Settings, consumer: str) -> None:
    """Drops a shadow that was not finished.

    Raises: what shadow.abort raises; NotFound (404) and BadRequest (400) for a consumer that has none"""
    async with open_databases(settings, migrate=True) as databases:
        there = await built.abort(databases, _copy(settings, databases, consumer))
    terminal().print("The shadow is dropped." if there else "There was no shadow.")


def _copy(settings: Settings, databases: Databases, consumer: str) -> Copy:
    copies = registry.copies(settings, databases)
    if consumer in copies:
        return copies[consumer]
    name = registry.sink(settings, databases, consumer).name
    raise BadRequest(SENT_ONCE if name == "subscriptions" else A_FEED.format(name=name))


def _table(found: Mapping[str, Difference]) -> Table:
    table = Table("table", "added", "changed", "removed", title="what the shadow put right")
    for name, told in found.items():
        if any(told):
            table.add_row(name, *map(str, told))
    if not table.row_count:
        table.add_row("nothing differed", "0", "0", "0")
    return table

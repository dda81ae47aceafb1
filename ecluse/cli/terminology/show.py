"""`ecluse terminology list` and `drop`."""

from __future__ import annotations

from ecluse.cli.readable import told_empty
from ecluse.cli.terminal import terminal
from ecluse.core import clock
from ecluse.core.db.databases import open_databases
from ecluse.core.settings import Settings
from fhir_server.terminology import intake


async def show(settings: Settings) -> None:
    """A line for each definition that was loaded, as `drop` and searches in text want it."""
    console = terminal(soft_wrap=True, highlight=False)
    async with open_databases(settings, migrate=True) as databases, databases.store.acquire() as conn:
        found = await intake.held(conn)
        if not found:
            told_empty("Nothing was loaded; R4's own code systems and value sets are there without that.")
        for one in found:
            address = f"{one.url}|{one.version}" if one.version else one.url
            size = f"{one.concepts} concepts, " if one.concepts else ""
            console.print(
                f"{one.kind} {address} ({size}{one.source}, {clock.instant_text(one.loaded_at)})", markup=False
            )


async def drop(settings: Settings, name: str) -> None:
    """Takes away what was loaded under this address or from this source.

    Raises: NotFound when nothing was"""
    async with open_databases(settings, migrate=True) as databases, databases.store.acquire() as conn:
        count = await intake.drop(conn, name)
    terminal().print(f"{count} {'definition is' if count == 1 else 'definitions are'} gone.")

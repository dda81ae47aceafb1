"""`ecluse site`: registers and lists sites in the store."""

from __future__ import annotations

import re

from rich.table import Table

from ecluse.cli.terminal import terminal
from ecluse.core.db.databases import open_databases
from ecluse.core.errors import BadRequest, Conflict
from ecluse.core.settings import Settings
from fhir_server.store import resources

NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9_-]{0,63}")


async def add(settings: Settings, name: str, title: str, finess: str, time_zone: str, systems: str) -> None:
    """Registers a site.

    Raises: BadRequest when the name cannot be part of an address, Conflict when it is taken
    """
    if not NAME.fullmatch(name):
        raise BadRequest("A site's name has letters, digits, - and _, and starts with a letter or digit.")
    async with open_databases(settings, migrate=True) as databases, databases.store.acquire() as conn:
        if name in {site.name for site in await resources.sites(conn)}:
            raise Conflict(f"Site {name} is registered already.")
        await resources.add_site(conn, name, title, finess, time_zone, systems)
    terminal().print(f"{name} is served at {settings.base(name)}")


async def show(settings: Settings) -> None:
    """A table of the sites."""
    async with open_databases(settings, migrate=True) as databases, databases.store.acquire() as conn:
        table = Table("name", "address", "time zone")
        for site in await resources.sites(conn):
            base = settings.base(site.name)
            table.add_row(site.name, base, site.time_zone)
    terminal().print(table)

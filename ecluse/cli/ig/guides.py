"""`ecluse ig`: installs, lists and removes FHIR packages in the store."""

from __future__ import annotations

from collections.abc import Sequence

from rich.table import Table

from ecluse.cli.ig.gather import gather
from ecluse.cli.readable import told_empty
from ecluse.cli.terminal import terminal
from ecluse.core.db.databases import open_databases
from ecluse.core.errors import Conflict, NotFound
from ecluse.core.settings import Settings
from fhir_server.search_parameters import taking
from fhir_server.store import guides
from fhir_server.store.guides import Installed
from fhir_server.terminology import intake


async def install(settings: Settings, wanted: Sequence[str], *, allow_missing: bool) -> None:
    """Installs packages and what they depend on, all or none.

    Raises: BadRequest for a broken package, NotFound, Unprocessable for another FHIR version or missing dependencies
    """
    console = terminal(soft_wrap=True)
    async with open_databases(settings, migrate=True) as databases, databases.store.acquire() as conn:
        there: dict[str, set[str]] = {}
        for one in await guides.packages(conn):
            there.setdefault(one.name, set()).add(one.version)
        gathered = await gather(wanted, there, allow_missing=allow_missing)
        async with conn.transaction():
            await guides.install(conn, gathered.packages.values())
            for package in gathered.packages.values():
                await intake.take_package(conn, package)
                await taking.take_package(conn, package)
        parameters = {package.id: await taking.of_source(conn, package.id) for package in gathered.packages.values()}
    for package in gathered.packages.values():
        profiles = sum(one.describes not in ("", "Extension") for one in package.definitions)
        console.print(f"{package.id}: {len(package.definitions)} definitions, {profiles} profiles", highlight=False)
        for made in parameters[package.id]:
            console.print(
                f"search parameter {made.code}: {made.state}{made.reason and f', {made.reason}'}", highlight=False
            )
    for note in gathered.notes:
        console.print(f"note: {note}", highlight=False)
    for name, who in (gathered.missing | gathered.absent).items():
        console.print(f"missing: {name}, wanted by {who}; what it defines is not checked", highlight=False)


async def show(settings: Settings) -> None:
    """A table of the installed packages."""
    async with open_databases(settings, migrate=True) as databases, databases.store.acquire() as conn:
        table = Table("package", "version", "profiles", "definitions", "title")
        found = await guides.packages(conn)
        for one in found:
            table.add_row(one.name, one.version, str(one.profiles), str(one.definitions), one.title)
    if found:
        terminal().print(table)
    else:
        told_empty("No package is installed; see `ecluse ig install`.")


async def remove(settings: Settings, name: str, *, force: bool) -> None:
    """Removes a package, NAME or NAME@VERSION.

    Raises: NotFound when it is not installed, Conflict when others depend on it
    """
    async with (
        open_databases(settings, migrate=True) as databases,
        databases.store.acquire() as conn,
        conn.transaction(),
    ):
        there = await guides.packages(conn)
        going = [one for one in there if name in (one.name, one.id)]
        if not going:
            raise NotFound(f"No package {name} is installed; see `ecluse ig list`.")
        if len(going) > 1:
            raise Conflict(f"{name} is installed in several versions; name one: {', '.join(one.id for one in going)}.")
        needed = _dependents(there, going[0])
        if needed and not force:
            raise Conflict(f"{', '.join(needed)} depends on {going[0].id}; remove that first, or use --force.")
        await guides.remove(conn, going[0].name, going[0].version)
        await intake.drop_package(conn, going[0].name, going[0].version)
        await taking.drop_package(conn, going[0].id)
    terminal().print(f"{going[0].id} is removed", highlight=False)


def _dependents(there: Sequence[Installed], going: Installed) -> list[str]:
    """Who depends on a package and would be left without any version of it."""
    stays = any(one.name == going.name and one.version != going.version for one in there)
    return [] if stays else [one.id for one in there if going.name in one.dependencies and one.name != going.name]

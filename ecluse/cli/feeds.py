"""What the hospital asks about its research feeds.

Enters: settings. Leaves: a feed as lines of sealed records; a table of the projects.
"""

from __future__ import annotations

from typing import IO, Any

from rich.table import Table

from consumers.hub import feed, reading
from consumers.hub.project import Project, projects
from ecluse.cli.readable import told_empty
from ecluse.cli.terminal import terminal
from ecluse.core.db.databases import open_databases
from ecluse.core.errors import NotFound
from ecluse.core.settings import Settings


async def export(settings: Settings, name: str, since: int, out: IO[bytes]) -> None:
    """Writes the records after a sequence number.

    Raises: NotFound when no project has this name
    """
    names = [project.name for project in projects(settings.hub_projects)]
    if name not in names:
        there = ", ".join(names) or "none"
        raise NotFound(f"No project is called {name} in {settings.hub_projects}; there are: {there}.")
    written = False
    async with open_databases(settings, migrate=True) as databases:
        async for row in feed.records(databases.hub, name, since):
            written = out.write(reading.line(name, row) + b"\n") > 0
    if not written:
        told_empty(f"The feed of {name} has no records" + (f" after {since}." if since else "."), beside=True)


async def show(settings: Settings) -> None:
    """Prints a table of the projects.

    Raises: NotFound when there is none
    """
    found = projects(settings.hub_projects)
    if not found:
        raise NotFound(f"No project is described in {settings.hub_projects}; see docs/hub.md.")
    table = Table("project", "start", "recipient", "persons", "resources", "records", "last", "title")
    async with open_databases(settings, migrate=True) as databases:
        for project in found:
            counts = await databases.hub.fetchrow(feed.SQL["counts"], project.name)
            table.add_row(*_cells(project, counts))
    terminal().print(table)


def _cells(project: Project, counts: Any) -> list[str]:
    names = ("persons", "resources", "records", "last_seq")
    figures = [str(counts[name]) if counts else "0" for name in names]
    return [project.name, project.start.isoformat(), project.recipient.kid[:8], *figures, project.title]

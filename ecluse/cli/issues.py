"""What `ecluse issues` does: reads what is stored although it does not pass, looks at all of it again.

Enters: settings and filters. Leaves: lines for a person, or one JSON object a line.
"""

from __future__ import annotations

import json
from collections.abc import Awaitable, Callable, Mapping
from functools import partial
from typing import Any, TypeVar

import click

from ecluse.cli.readable import told_empty
from ecluse.core.db.databases import open_databases
from ecluse.core.db.pool import Connection
from ecluse.core.errors import BadRequest
from ecluse.core.fhir import types
from ecluse.core.fhir.validation.policy import Depth
from ecluse.core.settings import Settings
from fhir_server.profiles.issues import as_json, read_filter
from fhir_server.profiles.recheck import recheck
from fhir_server.server import Server
from fhir_server.store import flags, resources
from fhir_server.store.flags import Filter

Row = TypeVar("Row")


async def show(settings: Settings, wanted: Mapping[str, str | None], limit: int, as_lines: bool) -> None:
    """Single issues."""
    found = await _found(settings, wanted, partial(flags.found, limit=limit), beside=as_lines)
    if as_lines:
        _lines([as_json(flag) for flag in found])
        return
    for one in found:
        click.echo(f"{one.site}  {one.type}/{one.id}  {one.severity}  {one.expression}")
        click.echo(f"    {one.text} ({one.diagnostics})")
        click.echo(f"    {one.profile or one.code}")


async def count(settings: Settings, wanted: Mapping[str, str | None], limit: int, as_lines: bool) -> None:
    """How many resources have which issue."""
    found = await _found(settings, wanted, partial(flags.counts, limit=limit), beside=as_lines)
    if as_lines:
        _lines([count._asdict() for count in found])
        return
    for one in found:
        click.echo(f"{one.resources} resources, {one.issues} issues  {one.site}  {one.severity}  {one.path}")
        click.echo(f"    {one.text}")
        click.echo(f"    {one.profile or one.code}")


async def look_again(
    settings: Settings, site: str | None, resource_type: str | None, resource_id: str | None, depth: str
) -> None:
    """Checks what is stored, and flags what does not pass.

    Raises: BadRequest (400) for an id without a type"""
    if resource_id and not resource_type:
        raise BadRequest("An id alone names no resource: say --type too.")
    wanted = read_filter({"type": resource_type} if resource_type else {})
    async with open_databases(settings, migrate=True) as databases:
        server = Server(settings, databases, lambda: None)
        async with server.connection() as conn:
            there = await resources.sites(conn)
        if site:
            there = [await server.site(site)]
        checked = 0
        for one in there:
            for name in [wanted.type] if wanted.type else types.number_of:
                done = await recheck(server, one, name, Depth[depth.upper()], resource_id)
                checked += done.checked
                if done.checked:
                    click.echo(f"{one.name}  {name}: {done.checked} looked at, {done.flagged} with issues")

        if not checked:
            told_empty("Nothing of this is stored; nothing was looked at.")


async def _found(
    settings: Settings,
    wanted: Mapping[str, str | None],
    find: Callable[[Connection, Filter], Awaitable[list[Row]]],
    *,
    beside: bool,
) -> list[Row]:
    """What is found by these filters; says so when that is nothing. beside: on standard error"""
    asked = read_filter({name: value for name, value in wanted.items() if value})
    async with open_databases(settings, migrate=True) as databases, databases.store.acquire() as conn:
        await resources.check_site(conn, asked.site)
        found = await find(conn, asked)
    if not found:
        kept = (
            "No issues are kept: validation with +flag keeps them, and `ecluse issues recheck` looks at what is stored."
        )
        told_empty("No issues pass these filters." if any(wanted.values()) else kept, beside=beside)
    return found


def _lines(rows: list[dict[str, Any]]) -> None:
    for row in rows:
        click.echo(json.dumps(row, ensure_ascii=False))

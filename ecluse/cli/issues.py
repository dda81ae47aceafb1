"""`ecluse issues`: what is stored although it does not pass, by site and profile."""

from __future__ import annotations

import json
from typing import Any

import click

from ecluse.cli.readable import readable, settings_of
from ecluse.core.db.databases import open_databases
from ecluse.core.fhir import types
from ecluse.core.fhir.validation.policy import Depth
from fhir_server.profiles.answers import MOST, as_json, read_filter
from fhir_server.profiles.recheck import recheck
from fhir_server.server import Server
from fhir_server.store import flags, resources

FILTERS = (
    click.option("--site", help="Of this site."),
    click.option("--profile", help="Against this profile, its URL with or without |version."),
    click.option("--type", help="Of resources of this type."),
    click.option("--severity", type=click.Choice(["error", "warning"])),
    click.option("--code", help="FHIR's issue code: required, value, code-invalid, …"),
    click.option("--path", help="At this element, Patient.name.given."),
    click.option("--limit", type=click.IntRange(1, MOST), default=100, show_default=True),
    click.option("--json", "as_lines", is_flag=True, help="One JSON object a line."),
)


def filtered(command: Any) -> Any:
    """The command with the options that both have."""
    for option in reversed(FILTERS):
        command = option(command)
    return command


@click.group()
def issues() -> None:
    """What is stored although it does not pass: which site sends what."""


@issues.command("list")
@filtered
@readable
async def issues_list(limit: int, as_lines: bool, **wanted: str | None) -> None:
    """Single issues, with resource, place and fix."""
    asked = read_filter({name: value for name, value in wanted.items() if value})
    async with open_databases(settings_of(), migrate=True) as databases, databases.store.acquire() as conn:
        found = await flags.found(conn, asked, limit=limit)
    if as_lines:
        _lines([as_json(flag) for flag in found])
        return
    for one in found:
        click.echo(f"{one.site}  {one.type}/{one.id}  {one.severity}  {one.expression}")
        click.echo(f"    {one.text} ({one.diagnostics})")
        click.echo(f"    {one.profile or one.code}")


@issues.command("count")
@filtered
@readable
async def issues_count(limit: int, as_lines: bool, **wanted: str | None) -> None:
    """How many resources have which issue, by site and profile, the most frequent first."""
    asked = read_filter({name: value for name, value in wanted.items() if value})
    async with open_databases(settings_of(), migrate=True) as databases, databases.store.acquire() as conn:
        found = await flags.counts(conn, asked, limit=limit)
    if as_lines:
        _lines([count._asdict() for count in found])
        return
    for one in found:
        click.echo(f"{one.resources} resources, {one.issues} issues  {one.site}  {one.severity}  {one.path}")
        click.echo(f"    {one.text}")
        click.echo(f"    {one.profile or one.code}")


@issues.command("recheck")
@click.option("--site", help="Of this site; default: of all.")
@click.option("--type", help="Of resources of this type; default: of all.")
@click.option("--depth", type=click.Choice(["base", "profiles"]), default="profiles", show_default=True)
@readable
async def issues_recheck(site: str | None, type: str | None, depth: str) -> None:
    """Looks at what is stored already, as if each resource were sent again with +flag."""
    wanted = read_filter({"type": type} if type else {})
    settings = settings_of()
    async with open_databases(settings, migrate=True) as databases:
        server = Server(settings, databases, lambda: None)
        async with server.connection() as conn:
            there = await resources.sites(conn)
        if site:
            there = [await server.site(site)]
        for one in there:
            for name in [wanted.type] if wanted.type else types.number_of:
                done = await recheck(server, one, name, Depth[depth.upper()])
                if done.checked:
                    click.echo(f"{one.name}  {name}: {done.checked} looked at, {done.flagged} with issues")


def _lines(rows: list[dict[str, Any]]) -> None:
    for row in rows:
        click.echo(json.dumps(row, ensure_ascii=False))

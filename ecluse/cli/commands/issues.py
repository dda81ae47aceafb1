"""The words `ecluse issues …`: what is stored although it does not pass, by site and profile."""

from __future__ import annotations

from typing import Any

import click

from ecluse.cli.readable import readable, settings_of

FILTERS = (
    click.option("--site", help="Of this site."),
    click.option("--profile", help="Against this profile, its URL with or without |version."),
    click.option("--type", help="Of resources of this type."),
    click.option("--severity", type=click.Choice(["error", "warning", "information"])),
    click.option("--code", help="FHIR's issue code: required, value, code-invalid, …"),
    click.option("--path", help="At this element, Patient.name.given."),
    click.option("--id", help="Of the resource with this id; with --type."),
    click.option("--limit", type=click.IntRange(1, 1000), default=100, show_default=True),
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
    from ecluse.cli import issues

    await issues.show(settings_of(), wanted, limit, as_lines)


@issues.command("count")
@filtered
@readable
async def issues_count(limit: int, as_lines: bool, **wanted: str | None) -> None:
    """How many resources have which issue, by site and profile, the most frequent first."""
    from ecluse.cli import issues

    await issues.count(settings_of(), wanted, limit, as_lines)


@issues.command("recheck")
@click.option("--site", help="Of this site; default: of all.")
@click.option("--type", help="Of resources of this type; default: of all.")
@click.option("--id", help="Of this resource of the type alone.")
@click.option("--depth", type=click.Choice(["base", "profiles"]), default="profiles", show_default=True)
@readable
async def issues_recheck(site: str | None, type: str | None, id: str | None, depth: str) -> None:
    """Looks at what is stored already, as if each resource were sent again with +flag."""
    from ecluse.cli import issues

    await issues.look_again(settings_of(), site, type, id, depth)

"""The words `ecluse site …`: the identity domains of the server."""

from __future__ import annotations

import json

import click

from ecluse.cli.readable import readable, settings_of


@click.group()
def site() -> None:
    """Sites: the identity domains of this server."""


@site.command("add")
@click.argument("name")
@click.option("--title", default="")
@click.option("--finess", default="")
@click.option("--time-zone", default="Europe/Paris", show_default=True)
@click.option("--identifier-system", "systems", multiple=True)
@readable
async def site_add(name: str, title: str, finess: str, time_zone: str, systems: tuple[str, ...]) -> None:
    """Registers a site, served at /sites/NAME/fhir."""
    from ecluse.cli import sites

    await sites.add(settings_of(), name, title, finess, time_zone, json.dumps(systems))


@site.command("list")
@readable
async def site_list() -> None:
    """The registered sites."""
    from ecluse.cli import sites

    await sites.show(settings_of())

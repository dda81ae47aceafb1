"""The words `ecluse terminology …`: code systems, value sets and concept maps for all sites."""

from __future__ import annotations

import click

from ecluse.cli.readable import readable, settings_of


@click.group()
def terminology() -> None:
    """Code systems, value sets and concept maps for all sites."""


@terminology.command("load")
@click.argument("sources", nargs=-1, required=True, metavar="PATH|npm:NAME@VERSION…")
@click.option("--system", default="", help="Address of the code system; default: that of the publisher.")
@click.option("--version", default="", help="Version of the code system; default: what the file says.")
@click.option("--language", default="fr", show_default=True, help="Of the translations of LOINC.")
@readable
async def terminology_load(sources: tuple[str, ...], system: str, version: str, language: str) -> None:
    """Loads FHIR packages and resources, CIM-10 (ATIH), CCAM, LOINC, and tables with code and display."""
    from ecluse.cli.terminology import load
    from ecluse.cli.terminology.recognise import Wish

    await load.run(settings_of(), sources, Wish(system, version, language))


@terminology.command("list")
@readable
async def terminology_list() -> None:
    """What was loaded."""
    from ecluse.cli.terminology import show

    await show.show(settings_of())


@terminology.command("drop")
@click.argument("name", metavar="URL[|VERSION]|SOURCE")
@readable
async def terminology_drop(name: str) -> None:
    """Takes away what was loaded under an address or from a source."""
    from ecluse.cli.terminology import show

    await show.drop(settings_of(), name)

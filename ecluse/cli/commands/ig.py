"""The words `ecluse ig …`: FHIR packages, installed and removed."""

from __future__ import annotations

import click

from ecluse.cli.readable import readable, settings_of


@click.group()
def ig() -> None:
    """Implementation guides: FHIR packages whose profiles resources are checked against."""


@ig.command("install")
@click.argument("packages", nargs=-1, required=True, metavar="PACKAGE.tgz|npm:NAME@VERSION…")
@click.option("--allow-missing", is_flag=True, help="Install although dependencies are missing.")
@readable
async def ig_install(packages: tuple[str, ...], allow_missing: bool) -> None:
    """Installs packages and, of those from the registry, what they depend on: all or none."""
    from ecluse.cli.ig import guides

    await guides.install(settings_of(), packages, allow_missing=allow_missing)


@ig.command("list")
@readable
async def ig_list() -> None:
    """The installed packages."""
    from ecluse.cli.ig import guides

    await guides.show(settings_of())


@ig.command("remove")
@click.argument("package", metavar="NAME[@VERSION]")
@click.option("--force", is_flag=True, help="Remove it although others depend on it.")
@readable
async def ig_remove(package: str, force: bool) -> None:
    """Removes a package; its profiles are no longer checked."""
    from ecluse.cli.ig import guides

    await guides.remove(settings_of(), package, force=force)

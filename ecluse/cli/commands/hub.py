"""The words `ecluse hub …`: keys and feeds of research projects.

`projects` and `export` are for the hospital, `keygen` and `decrypt` for the recipient, who needs neither database nor
settings.
"""

from __future__ import annotations

from pathlib import Path
from typing import IO

import click

from ecluse.cli.readable import one_line, readable, settings_of


@click.group()
def hub() -> None:
    """Research projects: their keys and their sealed feeds."""


@hub.command()
@click.option("--out", type=click.Path(path_type=Path), required=True, help="File of the private key, a new one.")
@click.option("--curve", type=click.Choice(["P-256", "X25519"]), default="P-256", show_default=True)
@one_line()
def keygen(out: Path, curve: str) -> None:
    """Makes a recipient's key: the private one in --out, the public one beside it, for the hospital."""
    from ecluse.cli import recipient

    recipient.keygen(out, curve)


@hub.command()
@click.argument("file", type=click.File("rb"), default="-")
@click.option("--key", type=click.Path(path_type=Path), required=True, help="The recipient's private key.")
@click.option("--last-state", is_flag=True, help="Only what is there after all records, one line a resource.")
@one_line()
def decrypt(file: IO[bytes], key: Path, last_state: bool) -> None:
    """Opens a feed, lines of an export or plain records, and prints the content of each."""
    from ecluse.cli import recipient

    recipient.decrypt(file, key, last_state)


@hub.command()
@click.argument("project")
@click.option("--since", type=int, default=0, show_default=True, help="Sequence number after which to begin.")
@click.option("--out", type=click.File("wb", lazy=True), default="-", help="File; without it, standard output.")
@readable
async def export(project: str, since: int, out: IO[bytes]) -> None:
    """Writes a project's feed, one sealed record a line."""
    from ecluse.cli import feeds

    await feeds.export(settings_of(), project, since, out)


@hub.command()
@readable
async def projects() -> None:
    """The projects and what stands in their feeds."""
    from ecluse.cli import feeds

    await feeds.show(settings_of())

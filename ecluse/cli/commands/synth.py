"""The command `ecluse synth`.

Enters: options. Leaves: folders of bundles that `ecluse load` takes.
"""

from __future__ import annotations

import re
from datetime import datetime
from pathlib import Path

import click

SITE = re.compile(r"[a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?")


def _sites(context: click.Context, parameter: click.Parameter, value: tuple[str, ...]) -> tuple[str, ...]:
    """The names, which become folders and parts of identifier systems.

    Raises: click.BadParameter"""
    for name in value:
        if not SITE.fullmatch(name):
            raise click.BadParameter(f"{name!r}: use lower-case letters, digits and hyphens.")
    if len(set(value)) < len(value):
        raise click.BadParameter("each site once.")
    return value


@click.command("synth")
@click.option("--patients", type=click.IntRange(1), default=50, show_default=True)
@click.option("--seed", type=int, default=1, show_default=True, help="Same seed, same bytes.")
@click.option("--out", type=click.Path(path_type=Path, file_okay=False), required=True)
@click.option("--site", "sites", multiple=True, default=("default",), show_default=True, callback=_sites)
@click.option(
    "--until", type=click.DateTime(["%Y-%m-%d"]), default="2026-06-30", show_default=True, help="Last day of the files."
)
def synth(patients: int, seed: int, out: Path, sites: tuple[str, ...], until: datetime) -> None:
    """Writes virtual French patients, as one FHIR transaction bundle each."""
    from rich.console import Console
    from rich.progress import Progress

    from ecluse.cli.synth.write import Run, write

    console = Console(stderr=True)
    with Progress(console=console, transient=True) as progress:
        task = progress.add_task("virtual patients", total=patients)
        written = write(out, Run(patients, seed, sites, until.date()), lambda _: progress.advance(task))
    console.print(f"{patients} virtual patients, {written} resources at {len(sites)} site(s) in {out}")

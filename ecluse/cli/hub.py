"""`ecluse hub`: keys and feeds of research projects.

`projects` and `export` are for the hospital, `keygen` and `decrypt` for the recipient, who needs neither database nor settings.
"""

from __future__ import annotations

import asyncio
import sys
from collections.abc import Coroutine, Iterable, Iterator
from pathlib import Path
from typing import IO, Any

import click
import msgspec
from rich.console import Console
from rich.table import Table

from consumers.hub import feed, reading
from consumers.hub.keys import write_private
from consumers.hub.project import Project
from consumers.hub.project import projects as projects_of
from consumers.hub.seal import Recipient, generated, holder
from ecluse.core.db.databases import open_databases
from ecluse.core.errors import EcluseError, NotFound
from ecluse.core.settings import Settings


@click.group()
def hub() -> None:
    """Research projects: their keys and their sealed feeds."""


@hub.command()
@click.option(
    "--out", type=click.Path(path_type=Path), required=True, help="File of the private key; must not exist yet."
)
@click.option("--curve", type=click.Choice(["P-256", "X25519"]), default="P-256", show_default=True)
def keygen(out: Path, curve: str) -> None:
    """Makes a recipient's key: the private one in --out, the public one beside it, for the hospital."""
    private, public = generated(curve)
    public_file = out.with_suffix(f".pub{out.suffix}")
    try:
        out.parent.mkdir(parents=True, exist_ok=True)
        write_private(out, _json(private))
        public_file.write_bytes(_json(public))
    except FileExistsError as error:
        raise click.ClickException(f"{out} is there already; a key that opens records is not written over.") from error
    except OSError as error:
        raise click.ClickException(f"{error.filename}: {error.strerror}") from error
    click.echo(f"private key, for you alone: {out}", err=True)
    click.echo(f"public key, for the project's file: {public_file}", err=True)
    click.echo(_json(public), nl=False)


@hub.command()
@click.argument("file", type=click.File("rb"), default="-")
@click.option("--key", type=click.Path(path_type=Path), required=True, help="The recipient's private key.")
@click.option("--last-state", is_flag=True, help="Only what is there after all records, one line a resource.")
def decrypt(file: IO[bytes], key: Path, last_state: bool) -> None:
    """Opens a feed, lines of an export or plain records, and prints the content of each."""
    try:
        records = reading.read(file, _holder(key))
        contents: Iterable[dict[str, Any]]
        contents = reading.last_state(records) if last_state else (record.content for record in records)
        for content in contents:
            sys.stdout.buffer.write(msgspec.json.encode(content) + b"\n")
    except EcluseError as error:
        sys.stdout.flush()
        raise click.ClickException(str(error)) from error


@hub.command()
@click.argument("project")
@click.option("--since", type=int, default=0, show_default=True, help="Sequence number after which to begin.")
@click.option("--out", type=click.File("wb", lazy=True), default="-", help="File; without it, standard output.")
def export(project: str, since: int, out: IO[bytes]) -> None:
    """Writes a project's feed, one sealed record a line."""
    _run(_export(_settings(), project, since, out))


@hub.command()
def projects() -> None:
    """The projects and what stands in their feeds."""
    _run(_show(_settings()))


async def _export(settings: Settings, name: str, since: int, out: IO[bytes]) -> None:
    names = [project.name for project in projects_of(settings.hub_projects)]
    if name not in names:
        raise NotFound(
            f"No project is called {name} in {settings.hub_projects}; there are: {', '.join(names) or 'none'}."
        )
    async with open_databases(settings, migrate=True) as databases:
        async for row in feed.records(databases.hub, name, since):
            out.write(reading.line(name, row) + b"\n")


async def _show(settings: Settings) -> None:
    found = projects_of(settings.hub_projects)
    if not found:
        raise NotFound(f"No project is described in {settings.hub_projects}; see docs/hub.md.")
    table = Table(
        "project", "title", "types", "since", "recipient's key", "persons", "resources", "records", "last seq"
    )
    async with open_databases(settings, migrate=True) as databases:
        for project in found:
            counts = await databases.hub.fetchrow(feed.SQL["counts"], project.name)
            table.add_row(*_described(project), *_counted(counts))
    Console().print(table)


def _described(project: Project) -> Iterator[str]:
    yield project.name
    yield project.title
    yield ", ".join(sorted(project.types))
    yield project.start.isoformat()
    yield project.recipient.kid[:12]


def _counted(counts: Any) -> list[str]:
    names = ("persons", "resources", "records", "last_seq")
    return [str(counts[name]) if counts else "0" for name in names]


def _holder(file: Path) -> Recipient:
    try:
        return holder(msgspec.json.decode(file.read_bytes()))
    except OSError as error:
        raise click.ClickException(f"{file}: {error.strerror}") from error
    except (EcluseError, msgspec.DecodeError) as error:
        raise click.ClickException(f"{file} is not a private key: {error}") from error


def _json(jwk: dict[str, Any]) -> bytes:
    return msgspec.json.encode(jwk) + b"\n"


def _settings() -> Settings:
    try:
        return Settings.from_environment()
    except EcluseError as error:
        raise click.ClickException(str(error)) from error


def _run(work: Coroutine[Any, Any, None]) -> None:
    try:
        asyncio.run(work)
    except EcluseError as error:
        raise click.ClickException(str(error)) from error

"""`ecluse dead-letters`: what the consumers could not take."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import click
from rich.table import Table

from consumers import dead_letters, registry
from consumers.dead_letters import DeadLetter
from ecluse.cli.readable import told_empty
from ecluse.cli.terminal import table, terminal
from ecluse.core.db.databases import open_databases
from ecluse.core.errors import BadRequest, NotFound
from ecluse.core.settings import Settings


@asynccontextmanager
async def _pools(settings: Settings, consumer: str | None) -> AsyncIterator[list[Any]]:
    """The databases that hold the dead letters of one consumer, or of all."""
    async with open_databases(settings, migrate=True) as databases:
        every, wrong = registry.standing(settings, databases)
        sinks = [registry.sink(settings, databases, consumer)] if consumer else every.values()
        if not consumer:
            for text in wrong:
                click.echo(text, err=True)
        yield list(dict.fromkeys(sink.pool for sink in sinks))


async def show(settings: Settings, consumer: str | None, reason: str | None) -> None:
    """A table of what is parked."""
    async with _pools(settings, consumer) as pools:
        letters = [letter for pool in pools for letter in await dead_letters.listed(pool, consumer, reason)]
    if not letters:
        told_empty("No dead letters" + (" pass these filters." if consumer or reason else "."))
        return
    title = f"{len(letters)} dead letters"
    shown = table("consumer", "resource", "version", "reason", "tried", "since", title=title)
    for letter in letters:
        shown.add_row(*_cells(letter))
    terminal().print(shown)


async def show_one(settings: Settings, consumer: str, resource: str) -> None:
    """All that is known of one, but no content: that is read again where the resource is stored.

    Raises: BadRequest (400) when it is no resource's address, NotFound (404) without a dead letter of it"""
    match resource.split("/"):
        case [site, kind, own] if site and own:
            key = (site, kind, own)
        case _:
            raise BadRequest("Write the resource as `list` does: SITE/TYPE/ID, like default/Patient/17.")
    async with _pools(settings, consumer) as pools:
        found = [letter for pool in pools if (letter := await dead_letters.of_resource(pool, consumer, key))]
    if not found:
        raise NotFound(f"{consumer} has no dead letter of {resource}; it was taken since, given up, or never parked.")
    shown = Table(show_header=False)
    for name, value in found[0]._asdict().items():
        shown.add_row(name, str(value))
    shown.add_row("read it at", f"{settings.base(site)}/{kind}/{own}/_history/{found[0].version}")
    terminal(soft_wrap=True).print(shown)


def _cells(letter: DeadLetter) -> tuple[str, ...]:
    resource = f"{letter.site}/{letter.type}/{letter.id}"
    return (
        letter.consumer,
        resource,
        str(letter.version),
        letter.reason,
        str(letter.attempts),
        f"{letter.failed_at:%Y-%m-%d %H:%M:%S}",
    )


async def replay(settings: Settings, consumer: str, reason: str | None) -> None:
    """Asks the running consumer to try them again."""
    async with _pools(settings, consumer) as pools:
        count = sum([await dead_letters.replay(pool, consumer, reason) for pool in pools])
    terminal().print(f"{count} dead letters of {consumer} are tried again within seconds, if it runs.")


async def drop(settings: Settings, consumer: str, reason: str | None) -> None:
    """Gives them up."""
    async with _pools(settings, consumer) as pools:
        count = sum([await dead_letters.drop(pool, consumer, reason) for pool in pools])
    terminal().print(f"{count} dead letters of {consumer} were given up; their resources count as excluded.")

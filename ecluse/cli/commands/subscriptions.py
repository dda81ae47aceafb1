"""The words `ecluse subscriptions …`: who is notified, and what can be subscribed to."""

from __future__ import annotations

from pathlib import Path

import click

from ecluse.cli.readable import readable, settings_of


@click.group()
def subscriptions() -> None:
    """Subscriptions: who is notified, how far each is, and the topics that there are."""


@subscriptions.command("list")
@click.option("--site", help="Of this site; default: of all.")
@readable
async def subscriptions_list(site: str | None) -> None:
    """Every Subscription that is not off, with what it was told, what waits and what is wrong."""
    from ecluse.cli import subscriptions

    await subscriptions.show(settings_of(), site)


@subscriptions.command("topics")
@readable
async def subscriptions_topics() -> None:
    """The topics of all sites and of each."""
    from ecluse.cli import subscriptions

    await subscriptions.topics(settings_of())


@subscriptions.command("load")
@click.argument("files", nargs=-1, required=True, type=click.Path(exists=True, dir_okay=False, path_type=Path))
@readable
async def subscriptions_load(files: tuple[Path, ...]) -> None:
    """Serves the topics of FILES, SubscriptionTopics as R4B and R5 write them, to all sites."""
    from ecluse.cli import subscriptions

    await subscriptions.load(settings_of(), files)


@subscriptions.command("drop")
@click.argument("url")
@readable
async def subscriptions_drop(url: str) -> None:
    """No longer serves a topic that was loaded; whoever subscribed to it hears nothing more."""
    from ecluse.cli import subscriptions

    await subscriptions.drop(settings_of(), url)

"""The words `ecluse dead-letters …`: records that a consumer could not take."""

from __future__ import annotations

import click

from ecluse.cli.readable import readable, settings_of


@click.group("dead-letters")
def dead_letters() -> None:
    """Records that a consumer could not take."""


@dead_letters.command("list")
@click.option("--consumer")
@click.option("--reason")
@readable
async def dead_letters_list(consumer: str | None, reason: str | None) -> None:
    """What is parked, and why."""
    from ecluse.cli import dead_letters

    await dead_letters.show(settings_of(), consumer, reason)


@dead_letters.command("show")
@click.argument("consumer")
@click.argument("resource")
@readable
async def dead_letters_show(consumer: str, resource: str) -> None:
    """Why and where one was parked. RESOURCE: SITE/TYPE/ID, as `list` tells it."""
    from ecluse.cli import dead_letters

    await dead_letters.show_one(settings_of(), consumer, resource)


@dead_letters.command("replay")
@click.argument("consumer")
@click.option("--reason", help="Only those parked for this reason.")
@readable
async def dead_letters_replay(consumer: str, reason: str | None) -> None:
    """Has the consumer try them again."""
    from ecluse.cli import dead_letters

    await dead_letters.replay(settings_of(), consumer, reason)


@dead_letters.command("drop")
@click.argument("consumer")
@click.option("--reason", help="Only those parked for this reason.")
@click.confirmation_option(prompt="Their resources will not reach this consumer. Go on?")
@readable
async def dead_letters_drop(consumer: str, reason: str | None) -> None:
    """Gives them up; they count as excluded."""
    from ecluse.cli import dead_letters

    await dead_letters.drop(settings_of(), consumer, reason)

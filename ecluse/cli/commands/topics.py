"""The words `ecluse topics …`: what the brokers have, held against the registry."""

from __future__ import annotations

import sys

import click

from ecluse.cli.readable import readable, settings_of

DIFFERENT = 3
"""The exit code when something is not as the registry has it."""
_TYPES = click.option(
    "--type", "kinds", multiple=True, help="May be repeated; default: what is stored, and what consumers read."
)


@click.group()
def topics() -> None:
    """Kafka topics: those of the registry, and what stands in the brokers."""


@topics.command()
@_TYPES
@readable
async def diff(kinds: tuple[str, ...]) -> None:
    """What is not as the registry has it; ends with 3 when there is something."""
    from ecluse.cli import topics

    _end(await topics.diff(settings_of(), kinds))


@topics.command()
@_TYPES
@readable
async def apply(kinds: tuple[str, ...]) -> None:
    """Makes the topics, sets what differs, says what it cannot change; ends with 3 when there is such."""
    from ecluse.cli import topics

    _end(await topics.apply(settings_of(), kinds))


def _end(different: bool) -> None:
    if different:
        sys.exit(DIFFERENT)

"""The words `ecluse intake …`: what arrived, what was refused, and why."""

from __future__ import annotations

from typing import Any

import click

from ecluse.cli.readable import readable, settings_of


@click.group()
def intake() -> None:
    """What arrived, what was refused, and why."""


@intake.command("list")
@click.option("--site")
@click.option("--sender", help="As X-Ecluse-Sender said.")
@click.option("--reason", help="Issue code of the refusal: structure, conflict, …; or unchanged, repeated, not-noted.")
@click.option("--since", help="30m, 24h, 7d, or a date and time; default 24h.")
@click.option("--status", help="412 or 4xx.")
@click.option("--request-id")
@click.option("--parts", is_flag=True, help="The entries of batches too.")
@click.option("--count", type=int, help="Most rows; default 50.")
@click.option("--json", "as_json", is_flag=True)
@readable
async def intake_list(as_json: bool, parts: bool, count: int | None, **given: Any) -> None:
    """Requests that wanted to write, the newest first, without their content."""
    from ecluse.cli import intake

    filters = {name.replace("_", "-"): value for name, value in given.items()}
    filters |= {"parts": "true" if parts else None, "count": None if count is None else str(count)}
    await intake.show_list(settings_of(), filters, as_json=as_json)


@intake.command("show")
@click.argument("request_id")
@click.option("--since", help="30m, 24h, 7d, or a date and time; default 30d.")
@click.option("--json", "as_json", is_flag=True)
@readable
async def intake_show(request_id: str, since: str | None, as_json: bool) -> None:
    """What became of one request, with every reason and its place."""
    from ecluse.cli import intake

    await intake.show_one(settings_of(), request_id, since, as_json=as_json)

"""The command `ecluse`.

Enters: words and options, and the settings of the environment. Leaves: one of the programs below, or of a group's in
commands/; an error is one readable line and exit status 1. What a command does stands in the module of its name beside
this one and is imported when it is called: a command that imported all of them would start slowly."""

from __future__ import annotations

import dataclasses
import sys
from pathlib import Path
from typing import Any, Literal

import click

from ecluse.cli.commands.dead_letters import dead_letters
from ecluse.cli.commands.hub import hub
from ecluse.cli.commands.ig import ig
from ecluse.cli.commands.intake import intake
from ecluse.cli.commands.issues import issues
from ecluse.cli.commands.site import site
from ecluse.cli.commands.subscriptions import subscriptions
from ecluse.cli.commands.synth import synth
from ecluse.cli.commands.terminology import terminology
from ecluse.cli.commands.topics import topics
from ecluse.cli.readable import one_line, readable, settings_of
from ecluse.cli.signals import stopping
from ecluse.core import tracing
from ecluse.core.collector import calm_collector, settle_collector


@click.group()
@click.version_option(package_name="ecluse", message="%(version)s")
def main() -> None:
    """Écluse: a FHIR R4 server and event bus for hospitals."""
    calm_collector()


@main.command()
@click.option("--port", type=int)
@click.option("--data", type=click.Path(path_type=Path))
@click.option("--bus", type=click.Choice(["embedded", "kafka"]))
@click.option("--workers", type=int)
@readable
async def up(**given: Any) -> None:
    """Server, relay, consumers and portal in one process group; Ctrl-C stops it clean."""
    from ecluse.cli import up

    await up.run(settings_of(**given).carried())


@main.command()
@click.option("--port", type=int)
@click.option("--data", type=click.Path(path_type=Path), default=Path("data/demo"), show_default=True)
@readable
async def demo(**given: Any) -> None:
    """Starts everything, loads virtual patients, shows what arrived where, and leaves the portal open."""
    from ecluse.cli import demo

    await demo.run(settings_of(**given))


@main.command()
@click.option("--host")
@click.option("--port", type=int)
@click.option("--data", type=click.Path(path_type=Path))
@click.option("--workers", type=int)
def serve(**given: Any) -> None:
    """The FHIR server and the portal."""
    from ecluse.cli import serve

    with one_line():
        serve.run(settings_of(**given).carried())


@main.command()
@readable
async def relay() -> None:
    """Ships the outbox to Kafka."""
    from consumers import registry
    from ecluse.bus.relay import run_relay

    settle_collector()
    settings = settings_of()
    settings.brokers()
    tracing.begin(settings, "relay")
    await run_relay(settings, stopping(), registry.names(settings))


@main.command()
@click.argument("name")
@readable
async def consume(name: str) -> None:
    """Runs one consumer: warehouse, search, subscriptions, or hub-PROJECT."""
    from consumers.runner import run_consumer

    settle_collector()
    settings = settings_of().carried()
    tracing.begin(settings, name)
    await run_consumer(settings, name, stopping())


@main.command()
@click.argument("paths", nargs=-1, required=True, type=click.Path(path_type=Path))
@click.option("--url", help="FHIR base without /fhir; default: the server of the settings.")
@click.option("--site", default="default", show_default=True)
@click.option("--history", is_flag=True, help="Beside the live flow: after it on the bus, never over what came live.")
@readable
async def load(paths: tuple[Path, ...], url: str | None, site: str, history: bool) -> None:
    """Posts bundles, resources or NDJSON, hospital and practitioner files first; run again, it takes up where it
    stopped."""
    from ecluse.cli import load_report

    refused = await load_report.run(settings_of(), paths, url, site, history=history)
    sys.exit(1 if refused else 0)


@main.command()
@click.argument("out", type=click.Path(path_type=Path))
@click.option("--url", help="FHIR base without /fhir; default: the server of the settings.")
@click.option("--site", default="default", show_default=True)
@click.option("--of", "level", default="", help="Patient, or Group/ID; default: everything of the site.")
@click.option("--type", "types", help="Resource types, by commas.")
@click.option("--since", help="Only what changed later, and what was deleted.")
@readable
async def export(out: Path, url: str | None, site: str, level: str, types: str | None, since: str | None) -> None:
    """Exports a site, its patients or a group as NDJSON files into the folder OUT."""
    from ecluse.cli import bulk, load_report

    query = [(name, value) for name, value in (("_type", types), ("_since", since)) if value]
    await bulk.export(load_report.base_of(settings_of(), url, site), level, query, out)


@main.command("import")
@click.argument("paths", nargs=-1, required=True, type=click.Path(path_type=Path, exists=True, dir_okay=False))
@click.option("--url", help="FHIR base without /fhir; default: the server of the settings.")
@click.option("--site", default="default", show_default=True)
@readable
async def bulk_import(paths: tuple[Path, ...], url: str | None, site: str) -> None:
    """Imports NDJSON files, plain or gzip, as bulk jobs of the server."""
    from ecluse.cli import bulk, load_report

    refused = await bulk.bulk_import(load_report.base_of(settings_of(), url, site), paths)
    sys.exit(1 if refused else 0)


@main.command()
@click.option("--json", "as_json", is_flag=True)
@readable
async def status(as_json: bool) -> None:
    """What is stored, and where each consumer stands."""
    from ecluse.cli import status

    await status.show(settings_of(), as_json)


@main.command()
@click.option("--event", help="As X-Ecluse-Event told it, like 1.4711; default: what is stored now.")
@click.option("--consumer", "consumers", multiple=True, help="May be repeated; default: every consumer.")
@click.option("--timeout", type=float, default=60, show_default=True, help="Seconds.")
@readable
async def wait(event: str | None, consumers: tuple[str, ...], timeout: float) -> None:
    """Returns when the consumers have caught up with what is stored now, or with one event."""
    from ecluse.cli import status

    await status.wait(settings_of(), event, consumers, timeout)


@main.command()
@click.argument("consumer")
@click.option(
    "--from",
    "source",
    type=click.Choice(["store", "topic"]),
    default="store",
    show_default=True,
    help="From all that is stored; or, on Kafka and into a shadow, from the topics of last states.",
)
@click.option("--into", type=click.Choice(["live", "shadow"]), default="live", show_default=True)
@click.option("--abort", is_flag=True, help="Drops a shadow that was not finished.")
@readable
async def replay(consumer: str, source: Literal["store", "topic"], into: str, abort: bool) -> None:
    """Makes anew what a consumer holds, while it goes on with what is live.

    Into what is live, resource by resource; or into a shadow, which then takes its place at once.
    """
    from ecluse.cli import replay

    if abort:
        await replay.abort(settings_of(), consumer)
    elif into == "shadow":
        await replay.shadow(settings_of(), consumer, source)
    else:
        await replay.live(settings_of(), consumer, source)


@main.command()
@click.argument("database", default="store", type=click.Choice(["store", "identity", "warehouse", "hub"]))
@readable
async def dsn(database: str) -> None:
    """Prints the PostgreSQL address, for psql and other tools."""
    from ecluse.core.db.databases import url_of

    click.echo(await url_of(settings_of(), database))


@main.command()
def config() -> None:
    """Prints the settings; secrets stay hidden."""
    settings = settings_of()
    for field in dataclasses.fields(settings):
        click.echo(f"ECLUSE_{field.name.upper()}={getattr(settings, field.name)}")


for group in (dead_letters, hub, ig, intake, issues, site, subscriptions, synth, terminology, topics):
    main.add_command(group)

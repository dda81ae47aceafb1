"""The topics that this installation is to have, held against the brokers.

Enters: settings, and resource types or none. Leaves: lines for a person, and whether something is not as it is to be.
"""

from __future__ import annotations

from collections.abc import Sequence

import click

from consumers import registry
from consumers.hub.project import projects
from ecluse.bus import reconcile
from ecluse.bus.broker import layout
from ecluse.bus.topics import Topic, Topics
from ecluse.core.db.databases import Databases, open_databases
from ecluse.core.errors import BadRequest
from ecluse.core.fhir import types
from ecluse.core.settings import Settings
from fhir_server.store import resources


async def diff(settings: Settings, kinds: Sequence[str]) -> bool:
    """Prints where the topics are not as the registry has them.

    Raises: BadRequest (400) for a type that there is not or without brokers, Unavailable (503) when those are away"""
    settings.brokers()
    async with open_databases(settings, migrate=True) as databases:
        topics, wanted = await _registry(settings, databases, kinds)
        found = await reconcile.differences(settings, topics, wanted)
        _tell([str(each) for each in found], wanted)
        return bool(found)


async def apply(settings: Settings, kinds: Sequence[str]) -> bool:
    """Makes them so, prints what was made and set, with what it was before, and what could not be made so.

    Raises: what `diff` raises"""
    settings.brokers()
    async with open_databases(settings, migrate=True) as databases:
        topics, wanted = await _registry(settings, databases, kinds)
        changed, left = await reconcile.apply(settings, databases.store, topics, wanted)
        _tell([*(each.put_right for each in changed), *map(str, left)], wanted)
        return bool(left)


async def _registry(settings: Settings, databases: Databases, kinds: Sequence[str]) -> tuple[Topics, list[Topic]]:
    """The topics of these types, or of all that somebody writes or reads, with the feeds of the hub's projects."""
    topics = await layout(settings, databases.store)
    if kinds:
        return topics, topics.registry([_checked(kind) for kind in dict.fromkeys(kinds)])
    async with databases.store.acquire() as conn:
        stored = {types.name_of[number] for _, number, _, _ in await resources.stored_counts(conn)}
    read = {kind for sink in registry.sinks(settings, databases).values() for kind in sink.types}
    feeds = [topics.of_project(project.name) for project in projects(settings.hub_projects)]
    return topics, [*topics.registry(stored | read), *feeds]


def _checked(kind: str) -> str:
    if kind not in types.number_of:
        raise BadRequest(types.unknown(kind))
    return kind


def _tell(lines: Sequence[str], wanted: Sequence[Topic]) -> None:
    for line in lines or [f"{len(wanted)} topics are as the registry has them."]:
        click.echo(line)

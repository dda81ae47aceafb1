"""Which consumers there are.

Enters: settings and opened databases. Leaves: sinks by name. A sink's room is imported when it is asked for, so that
the process of one consumer does not load the libraries of the others.
"""

from __future__ import annotations

from contextlib import suppress

from consumers.sink import Sink
from ecluse.core.db.databases import Databases
from ecluse.core.errors import NotFound
from ecluse.core.settings import Settings


def sinks(settings: Settings, databases: Databases) -> dict[str, Sink]:
    """Every sink by its name: warehouse, search, subscriptions where they are on, and one hub-PROJECT a project."""
    built = [_warehouse(settings, databases), _search(settings, databases), *_hub(settings, databases)]
    if settings.subscriptions == "on":
        built.append(_subscriptions(settings, databases))
    return {sink.name: sink for sink in built}


def names(settings: Settings) -> list[str]:
    """Every consumer's name, without what it takes to be one; no hub's when a project's file is wrong."""
    from consumers.hub.project import ProjectError, projects

    found = ["warehouse", "search"] + (["subscriptions"] if settings.subscriptions == "on" else [])
    with suppress(ProjectError):
        found += [f"hub-{project.name}" for project in projects(settings.hub_projects)]
    return found


def sink(settings: Settings, databases: Databases, name: str) -> Sink:
    """The sink of this name.

    Raises: NotFound (404) when there is none
    """
    if name == "warehouse":
        return _warehouse(settings, databases)
    if name == "search":
        return _search(settings, databases)
    if name == "subscriptions":
        return _subscriptions(settings, databases)
    hubs = {hub.name: hub for hub in _hub(settings, databases)}
    if name not in hubs:
        names = ", ".join(["warehouse", "search", "subscriptions", *sorted(hubs)])
        raise NotFound(f"No consumer is called {name}; there are {names}.")
    return hubs[name]


def _warehouse(settings: Settings, databases: Databases) -> Sink:
    from consumers.warehouse.sink import WarehouseSink

    return WarehouseSink(settings, databases)


def _search(settings: Settings, databases: Databases) -> Sink:
    from consumers.search_index.sink import SearchIndexSink

    return SearchIndexSink(settings, databases)


def _subscriptions(settings: Settings, databases: Databases) -> Sink:
    from consumers.subscriptions.sink import SubscriptionsSink

    return SubscriptionsSink(settings, databases)


def _hub(settings: Settings, databases: Databases) -> list[Sink]:
    from consumers.hub.sink import hub_sinks

    return list(hub_sinks(settings, databases))

"""Which consumers there are.

Enters: settings and opened databases. Leaves: sinks by name. A sink's room is imported when it is asked for, so that
the process of one consumer does not load the libraries of the others.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence

from consumers.beside import Copy
from consumers.sink import Sink
from ecluse.core.db.databases import Databases
from ecluse.core.errors import NotFound
from ecluse.core.settings import Settings


def sinks(settings: Settings, databases: Databases) -> dict[str, Sink]:
    """Every sink by its name: warehouse, search, subscriptions where they are on, and one hub-PROJECT a project.

    Raises: ProjectError when a project's file is wrong"""
    check(settings)
    return standing(settings, databases)[0]


def standing(settings: Settings, databases: Databases) -> tuple[dict[str, Sink], list[str]]:
    """The same, without the projects whose files are wrong; and what is wrong with them."""
    hubs, wrong = _hubs(settings, databases)
    built = [build(settings, databases) for build in _asked_for(settings).values()]
    return {sink.name: sink for sink in [*built, *hubs]}, wrong


def check(settings: Settings) -> None:
    """Nothing, when every consumer can be built.

    Raises: ProjectError with each project's file that is wrong"""
    from consumers.hub.project import projects

    projects(settings.hub_projects)


def names(settings: Settings) -> list[str]:
    """Every consumer's name, without what it takes to be one; none of a project whose file is wrong."""
    from consumers.hub.project import readable

    return [*_asked_for(settings), *(f"hub-{project.name}" for project in readable(settings.hub_projects)[0])]


def sink(settings: Settings, databases: Databases, name: str) -> Sink:
    """The sink of this name.

    Raises: NotFound (404) when there is none, ProjectError when it may be in a project's file that is wrong
    """
    if name in _BUILT:
        return _BUILT[name](settings, databases)
    hubs = {hub.name: hub for hub in _hubs(settings, databases)[0]}
    if name not in hubs:
        check(settings)
        names = ", ".join([*_BUILT, *sorted(hubs)])
        raise NotFound(f"No consumer is called {name}; there are {names}.")
    return hubs[name]


def copies(settings: Settings, databases: Databases) -> dict[str, Copy]:
    """What can be built beside what is live, by the name of the live consumer."""
    from consumers.search_index.shadow import IndexCopy
    from consumers.warehouse.shadow import WarehouseCopy

    built: list[Copy] = [WarehouseCopy(settings, databases), IndexCopy(settings, databases)]
    return {copy.live: copy for copy in built}


def _warehouse(settings: Settings, databases: Databases) -> Sink:
    from consumers.warehouse.sink import WarehouseSink

    return WarehouseSink(settings, databases)


def _search(settings: Settings, databases: Databases) -> Sink:
    from consumers.search_index.sink import SearchIndexSink

    return SearchIndexSink(settings, databases)


def _subscriptions(settings: Settings, databases: Databases) -> Sink:
    from consumers.subscriptions.sink import SubscriptionsSink

    return SubscriptionsSink(settings, databases)


def _hubs(settings: Settings, databases: Databases) -> tuple[Sequence[Sink], list[str]]:
    from consumers.hub.sink import hub_sinks

    return hub_sinks(settings, databases)


_BUILT: Mapping[str, Callable[[Settings, Databases], Sink]] = {
    "warehouse": _warehouse,
    "search": _search,
    "subscriptions": _subscriptions,
}
"""Who builds the sinks that are no hub's, by their names: to ask a sink for its own takes its libraries."""


def _asked_for(settings: Settings) -> dict[str, Callable[[Settings, Databases], Sink]]:
    """Those that run here."""
    return {name: build for name, build in _BUILT.items() if name != "subscriptions" or settings.subscriptions == "on"}

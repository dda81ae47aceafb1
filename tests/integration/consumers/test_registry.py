"""The names of consumers, told without what it takes to be one, are those that the sinks have."""

from __future__ import annotations

import pytest

from consumers import registry
from ecluse.core.db.databases import Databases
from tests.conftest import SettingsFactory
from tests.integration.hub import given


@pytest.mark.parametrize("subscriptions", ["on", "off"])
async def test_names_are_those_of_the_sinks(
    databases: Databases, settings: SettingsFactory, subscriptions: str
) -> None:
    chosen = settings(subscriptions=subscriptions)
    given.write(chosen.hub_projects, name="atlas")
    sinks = registry.sinks(chosen, databases)
    assert registry.names(chosen) == list(sinks) and len(sinks) == (4 if subscriptions == "on" else 3)
    assert [registry.sink(chosen, databases, name).name for name in sinks] == list(sinks)

"""The fixtures of the hub."""

from __future__ import annotations

import pytest

from ecluse.core.db.databases import Databases
from tests.conftest import SettingsFactory
from tests.integration.hub.given import Feeding


@pytest.fixture
async def feeding(settings: SettingsFactory, databases: Databases) -> Feeding:
    """The consumer of the project `asthme`, opened."""
    return await Feeding(settings(), databases).open()

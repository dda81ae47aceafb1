"""The consumer of the text index over a new database and a new folder."""

from __future__ import annotations

from collections.abc import AsyncIterator

import pytest

from ecluse.core.db.databases import Databases
from tests.conftest import SettingsFactory
from tests.integration.search_index.feeding import Feeding


@pytest.fixture
async def feeding(settings: SettingsFactory, databases: Databases) -> AsyncIterator[Feeding]:
    """The consumer, open."""
    feeding = Feeding(settings(), databases)
    await feeding.open()
    yield feeding
    await feeding.sink.close()

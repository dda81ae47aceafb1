"""A store of each test alone."""

from __future__ import annotations

import pytest

from ecluse.core.db.databases import Databases
from tests.conftest import SettingsFactory
from tests.integration.bulk.exporting import Store


@pytest.fixture
def store(settings: SettingsFactory, databases: Databases) -> Store:
    """The store of the test."""
    return Store(settings(), databases)

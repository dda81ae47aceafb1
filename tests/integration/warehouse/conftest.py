"""A warehouse in an empty database, and the consumer that fills it."""

from __future__ import annotations

import pytest

from ecluse.core.db.databases import Databases
from tests.integration.warehouse.feeding import Feeding


@pytest.fixture
def feeding(databases: Databases) -> Feeding:
    """The consumer over a new database."""
    return Feeding(databases)

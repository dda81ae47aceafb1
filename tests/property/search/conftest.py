"""A population in a server's database, once a test process, and what the evaluator sees of it."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from tests.property.search.asking import NOW, frozen
from tests.property.search.comparing import Comparison, stored
from tests.services.postgres import Postgres

SEED = 20


@pytest.fixture(scope="session")
def populated(postgres: Postgres, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Comparison]:
    """A server and the evaluator, on the same resources."""
    with stored(postgres, tmp_path_factory.mktemp("data"), SEED) as found:
        yield found


@pytest.fixture
def comparison(populated: Comparison) -> Iterator[Comparison]:
    """The same, at one instant for both; time goes on after the test."""
    with frozen(NOW):
        yield populated

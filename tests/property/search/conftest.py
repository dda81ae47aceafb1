"""A population in a server's database, once a test process, and what the evaluator sees of it."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from tests.property.search.asking import NOW, frozen
from tests.property.search.comparing import Comparison, stored
from tests.services.postgres import Postgres

SEED = 20


@pytest.fixture(scope="session")
def comparison(postgres: Postgres, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Comparison]:
    """A server and the evaluator, on the same resources, at the same instant."""
    with stored(postgres, tmp_path_factory.mktemp("data"), SEED) as found, frozen(NOW):
        yield found

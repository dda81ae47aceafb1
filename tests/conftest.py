"""What all tests share: a real PostgreSQL a test process, a database a test, a real Kafka broker a test run."""

from __future__ import annotations

import gc
import os
from collections.abc import AsyncIterator, Callable, Iterator
from pathlib import Path
from shutil import rmtree
from tempfile import mkdtemp
from typing import Any

import pytest
from hypothesis import HealthCheck
from hypothesis import settings as hypothesis_settings

from ecluse.core.db.databases import Databases, open_databases
from ecluse.core.settings import SecretStr, Settings
from tests.services import shared_kafka
from tests.services.postgres import Postgres

hypothesis_settings.register_profile("ecluse", deadline=None, suppress_health_check=[HealthCheck.too_slow])
hypothesis_settings.load_profile("ecluse")
"""No example fails because a machine is slow."""
SettingsFactory = Callable[..., Settings]
LONGEST = (
    "spec/test_official_files.py",
    "fuzz/test_fuzz.py",
    "acceptance/test_kill.py",
    "acceptance/test_bulk.py",
)
"""Files that take minutes: begun first, since a file is one process's, and the last one to begin is waited for."""
RUN = pytest.StashKey[Path]()
RUN_PID = pytest.StashKey[int]()


def pytest_configure(config: pytest.Config) -> None:
    """Gives the run a folder, which its parallel processes share."""
    shared = getattr(config, "workerinput", None)
    config.stash[RUN] = Path(shared["run"] if shared else mkdtemp(prefix="ecluse-tests-"))
    config.stash[RUN_PID] = shared["run_pid"] if shared else os.getpid()


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """The longest files first; needs --no-loadscope-reorder."""
    items.sort(key=lambda item: next((n for n, file in enumerate(LONGEST) if item.path.match(file)), len(LONGEST)))


def pytest_collection_finish() -> None:
    """Thousands of tests stand from now on; to look through them for cycles again and again takes an eighth of all."""
    gc.collect()
    gc.freeze()
    gc.set_threshold(20_000, 20, 20)


@pytest.hookimpl(optionalhook=True)
def pytest_configure_node(node: Any) -> None:
    """Tells a parallel process which run it belongs to."""
    node.workerinput["run"] = str(node.config.stash[RUN])
    node.workerinput["run_pid"] = node.config.stash[RUN_PID]


def pytest_unconfigure(config: pytest.Config) -> None:
    """Ends what the run shared."""
    if not hasattr(config, "workerinput"):
        shared_kafka.end(config.stash[RUN])
        rmtree(config.stash[RUN])


@pytest.fixture(scope="session")
def kafka(request: pytest.FixtureRequest) -> str:
    """The address of the run's broker, for tests that leave it running; topics need names of their own."""
    return shared_kafka.bootstrap(request.config.stash[RUN], request.config.stash[RUN_PID])


@pytest.fixture(scope="session")
def postgres(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Postgres]:
    """The server of this test process."""
    server = Postgres(tmp_path_factory.mktemp("postgres"))
    yield server
    server.stop()


@pytest.fixture(scope="session")
def postgres_url(postgres: Postgres) -> str:
    """The address of the server's own database, for tests that make databases themselves."""
    return postgres.url


@pytest.fixture
def database(postgres: Postgres) -> Iterator[str]:
    """The address of a database of this test alone, with the tables of all areas."""
    with postgres.database() as url:
        yield url


@pytest.fixture
def empty_database(postgres: Postgres) -> Iterator[str]:
    """The address of a database of this test alone, with no table."""
    with postgres.database("template0") as url:
        yield url


@pytest.fixture(scope="module")
def empty_database_url(postgres: Postgres) -> Iterator[str]:
    """The address of a database of this test file, with no table when the first test gets it."""
    with postgres.database("template0") as url:
        yield url


@pytest.fixture
def settings(tmp_path: Path, database: str) -> SettingsFactory:
    """Makes settings: data in the test's folder, all databases in the test's database, unless given otherwise."""

    def make(**given: Any) -> Settings:
        return Settings(
            **{
                "data": tmp_path / "data",
                "database_url": SecretStr(database),
                "hub_projects": tmp_path / "hub",
                **given,
            }
        )

    return make


@pytest.fixture
async def databases(settings: SettingsFactory) -> AsyncIterator[Databases]:
    """Open pools of the test's database."""
    async with open_databases(settings()) as databases:
        yield databases

"""Migrations: run once, in order, whole or not at all; their sum is the schema that is written down."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from importlib.resources import files

import asyncpg
import pytest

from ecluse.core.db import migrate as room
from ecluse.core.db.databases import AREAS, open_databases
from ecluse.core.db.migrate import Migration, MigrationError, migrate, migrations
from ecluse.core.db.queries import load
from ecluse.core.settings import SecretStr
from tests.conftest import SettingsFactory
from tests.services.postgres import Postgres

OBJECTS = load(__package__, "catalog.sql")["objects"]
ALL_AREAS = sorted({area for areas in AREAS.values() for area in areas})


async def objects(conn: asyncpg.Connection) -> list[tuple[str, ...]]:
    """What the database defines, and how many rows each table has from the start."""
    found = [tuple(row) for row in await conn.fetch(OBJECTS)]
    tables = [name for kind, name, definition in found if kind == "relation" and definition.startswith("r ")]
    counts = {name: await conn.fetchval(f"SELECT count(*) FROM {name}") for name in tables}
    return found + [("rows", name, str(count)) for name, count in counts.items()]


@pytest.fixture
async def conn(empty_database: str) -> AsyncIterator[asyncpg.Connection]:
    """A connection to a database without tables."""
    conn = await asyncpg.connect(empty_database)
    yield conn
    await conn.close()


@pytest.mark.parametrize("area", ALL_AREAS)
async def test_the_written_schema_is_the_sum_of_the_migrations(
    area: str, conn: asyncpg.Connection, postgres: Postgres
) -> None:
    await migrate(conn, [area])
    summed = await objects(conn)
    with postgres.database("template0") as written_url:
        written = await asyncpg.connect(written_url)
        await written.execute(files(room.__package__).joinpath("schema", f"{area}.sql").read_text("utf-8"))
        present = await objects(written)
        await written.close()
    assert len(summed) > 5
    assert present == summed


@pytest.mark.parametrize(
    "change",
    [
        "ALTER TABLE identity.decision ADD COLUMN x int",
        "ALTER TABLE identity.decision ALTER COLUMN reason DROP NOT NULL",
        "ALTER TABLE identity.decision ALTER COLUMN reason SET DEFAULT ''",
        "ALTER TABLE identity.decision ALTER COLUMN reason TYPE varchar(9)",
        "ALTER TABLE identity.decision SET (fillfactor = 50)",
        "ALTER TABLE identity.decision DROP CONSTRAINT decision_decision_check",
        "DROP INDEX identity.decision_current",
        "ALTER SEQUENCE identity.person_number CACHE 9",
        "INSERT INTO identity.decision (person, decision, reason) VALUES (1, 'deliver', '')",
        "CREATE SCHEMA other",
    ],
)
async def test_the_comparison_sees_each_kind_of_difference(change: str, conn: asyncpg.Connection) -> None:
    await migrate(conn, ["identity"])
    before = await objects(conn)
    await conn.execute(change)
    assert await objects(conn) != before


async def test_migrations_run_once(conn: asyncpg.Connection) -> None:
    await migrate(conn, ["identity"])
    await migrate(conn, ["identity"])
    assert await conn.fetchval("SELECT count(*) FROM ecluse.migration") == len(migrations("identity"))


async def test_processes_that_start_together_run_each_migration_once(empty_database: str) -> None:
    async def start() -> None:
        conn = await asyncpg.connect(empty_database)
        await migrate(conn, ALL_AREAS)
        await conn.close()

    await asyncio.gather(*(start() for _ in range(4)))


async def test_a_migration_that_fails_leaves_nothing_of_itself(
    conn: asyncpg.Connection, monkeypatch: pytest.MonkeyPatch
) -> None:
    broken = Migration("made", 2, "broken", "CREATE TABLE made.second (x int); SELECT 1 / 0")
    monkeypatch.setattr(room, "migrations", lambda area: [Migration(area, 1, "good", "CREATE SCHEMA made"), broken])
    with pytest.raises(asyncpg.DivisionByZeroError):
        await migrate(conn, ["made"])
    assert await conn.fetch("SELECT number FROM ecluse.migration") == [(1,)]
    assert await conn.fetchval("SELECT to_regclass('made.second')") is None


async def test_a_newer_database_is_refused(conn: asyncpg.Connection) -> None:
    await migrate(conn, ["identity"])
    await conn.execute(
        "INSERT INTO ecluse.migration (area, number, slug, checksum) VALUES ('identity', 9999, 'x', 'x')"
    )
    with pytest.raises(MigrationError, match="identity migration 9999"):
        await migrate(conn, ["identity"])


async def test_a_migration_changed_after_it_ran_is_refused(conn: asyncpg.Connection) -> None:
    await migrate(conn, ["identity"])
    await conn.execute("UPDATE ecluse.migration SET checksum = 'x'")
    with pytest.raises(MigrationError, match="ran in another form"):
        await migrate(conn, ["identity"])


async def test_each_database_gets_its_areas_and_no_other(postgres: Postgres, settings: SettingsFactory) -> None:
    with (
        postgres.database("template0") as store,
        postgres.database("template0") as identity,
        postgres.database("template0") as warehouse,
        postgres.database("template0") as hub,
    ):
        given = settings(
            database_url=SecretStr(store),
            identity_url=SecretStr(identity),
            warehouse_url=SecretStr(warehouse),
            hub_url=SecretStr(hub),
        )
        async with open_databases(given, migrate=True) as databases:
            for name, areas in AREAS.items():
                pool: asyncpg.Pool = getattr(databases, name)
                found = await pool.fetch("SELECT DISTINCT area FROM ecluse.migration")
                assert {row["area"] for row in found} == set(areas), name
            assert len({databases.store, databases.identity, databases.warehouse, databases.hub}) == 4


async def test_a_migration_leaves_the_longest_statement_of_the_connection(settings: SettingsFactory) -> None:
    async with open_databases(settings(pool_size=1, statement_timeout_ms=1234), migrate=True) as databases:
        assert await databases.store.fetchval("SHOW statement_timeout") == "1234ms"


async def test_equal_addresses_share_one_pool(settings: SettingsFactory) -> None:
    async with open_databases(settings(), migrate=True) as databases:
        assert databases.store is databases.identity is databases.warehouse is databases.hub

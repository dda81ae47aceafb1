"""The pool: what each connection keeps to, and what becomes of the driver's exceptions."""

from __future__ import annotations

import asyncio
from pathlib import Path

import asyncpg
import pytest

from ecluse.core.db import pool as room
from ecluse.core.db.pool import open_pool, translated
from ecluse.core.errors import TooSlow, Unavailable
from tests.services.ports import free_port


async def test_connections_keep_utc_no_jit_and_a_longest_statement(database: str) -> None:
    pool = await open_pool(database, size=2, statement_timeout_ms=1234)
    for name, value in {"timezone": "UTC", "jit": "off", "statement_timeout": "1234ms"}.items():
        assert await pool.fetchval(f"SHOW {name}") == value
    await pool.close()


async def test_a_pool_opens_no_connection_before_it_has_to_and_has_further_settings(database: str) -> None:
    pool = await open_pool(database, size=2, statement_timeout_ms=60_000, least=0, more={"jit": "on"})
    assert pool.get_size() == 0
    assert await pool.fetchval("SHOW jit") == "on"
    await pool.close()


async def test_a_transaction_left_open_ends_with_the_use_of_its_connection(database: str) -> None:
    pool = await open_pool(database, size=1, statement_timeout_ms=60_000)
    async with pool.acquire() as conn:
        await conn.execute("BEGIN; CREATE TABLE left_open (x int)")
    assert await pool.fetchval("SELECT to_regclass('left_open')") is None
    await pool.close()


async def test_the_wait_for_a_connection_is_bounded(database: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(room, "WAIT_TIMEOUT_S", 0.1)
    pool = await open_pool(database, size=1, statement_timeout_ms=60_000)
    async with pool.acquire():
        with pytest.raises(Unavailable):
            await pool.acquire()
    assert await pool.fetchval("SELECT 1") == 1
    await pool.close()


async def test_a_connection_that_was_cut_is_replaced(database: str) -> None:
    pool = await open_pool(database, size=1, statement_timeout_ms=60_000)
    pid = await pool.fetchval("SELECT pg_backend_pid()")
    other = await asyncpg.connect(database)
    async with pool.acquire() as conn:
        await other.execute(f"SELECT pg_terminate_backend({pid}, 5000)")
        with pytest.raises(Unavailable), translated():
            await conn.fetchval("SELECT 1")
    assert await pool.fetchval("SELECT pg_backend_pid()") != pid
    await other.close()
    await pool.close()


@pytest.mark.parametrize("address", ["postgresql://x@127.0.0.1:{port}/x", "postgresql://x@/x?host={folder}"])
async def test_a_server_that_is_away_is_unavailable(address: str, tmp_path: Path) -> None:
    with pytest.raises(Unavailable):
        await open_pool(address.format(port=free_port(), folder=tmp_path), size=1, statement_timeout_ms=1000)


async def test_a_statement_that_takes_too_long_is_called_too_slow(database: str) -> None:
    pool = await open_pool(database, size=1, statement_timeout_ms=50)
    with pytest.raises(TooSlow, match="ECLUSE_STATEMENT_TIMEOUT_MS"), translated():
        await pool.execute("SELECT pg_sleep(5)")
    await pool.close()


async def test_the_loser_of_a_deadlock_is_unavailable(database: str) -> None:
    pool = await open_pool(database, size=2, statement_timeout_ms=60_000)
    await pool.execute("CREATE TABLE pair (x int PRIMARY KEY); INSERT INTO pair VALUES (1), (2)")
    both = asyncio.Barrier(2)

    async def update(first: int, second: int) -> None:
        with translated():
            async with pool.acquire() as conn, conn.transaction():
                await conn.execute("UPDATE pair SET x = x WHERE x = $1", first)
                await both.wait()
                await conn.execute("UPDATE pair SET x = x WHERE x = $1", second)

    ended = await asyncio.gather(update(1, 2), update(2, 1), return_exceptions=True)
    assert sorted(type(end).__name__ for end in ended) == ["NoneType", "Unavailable"]
    await pool.close()


@pytest.mark.parametrize(
    ("statement", "values", "error"),
    [
        ("SELECT $1::text", ("a\0b",), asyncpg.CharacterNotInRepertoireError),
        ("SELECT $1::int", (2**40,), asyncpg.DataError),
        ("INSERT INTO fhir.site (name) VALUES ($1)", ("default",), asyncpg.UniqueViolationError),
        ("SELECT nothing", (), asyncpg.UndefinedColumnError),
    ],
)
async def test_a_mistake_of_ours_is_not_called_unavailable(
    database: str, statement: str, values: tuple[object, ...], error: type[Exception]
) -> None:
    pool = await open_pool(database, size=1, statement_timeout_ms=1000)
    with pytest.raises(error), translated():
        await pool.execute(statement, *values)
    await pool.close()

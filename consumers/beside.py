"""What is built beside the live rows of a consumer, to take their place.

Enters: the schemas of a consumer, and by what the rows of its tables are told apart. Leaves: the protocol that each
room with a copy implements, and what copies in PostgreSQL have in common: the same tables under other names, and the
live ones put right by them, in the caller's transaction. Tables keep their identity, and with it the grants and views
that a site has made on them.
"""

from __future__ import annotations

import re
from collections.abc import Collection, Mapping
from typing import Any, NamedTuple, Protocol

import asyncpg

from consumers.sink import Sink
from ecluse.core.db import queries

SQL = queries.load(__package__, "beside.sql")


class Difference(NamedTuple):
    """How many rows of a table were missing, other than they should be, or too many."""

    added: int
    changed: int
    removed: int


class Copy(Protocol):
    """A second one of what a consumer holds, made anew by a consumer of its own.

    conn: a connection to the database of the consumer's books
    """

    live: str
    """The consumer whose place the copy takes."""
    name: str
    """The consumer that fills the copy."""

    @property
    def pool(self) -> asyncpg.Pool:
        """The database in which the books of both are."""

    def sink(self) -> Sink:
        """Where the copy is written."""

    async def there(self, conn: Any) -> bool:
        """Whether anything of a copy is left."""

    async def stands(self, conn: Any) -> bool:
        """Whether there is a copy that can be gone on with."""

    async def make(self, conn: Any) -> None:
        """An empty one, in the caller's transaction.

        Raises: BadRequest (400) when what is live cannot be reached from here"""

    async def put_right(self, conn: Any) -> Mapping[str, Difference]:
        """Makes the live rows what the copy is, in the caller's transaction; the sink is closed.
        Returns: what differed, by table"""

    async def put_in_place(self, conn: Any) -> Mapping[str, Difference]:
        """The same for what is in no table, once that transaction is committed; may be done again."""

    async def drop(self, conn: Any) -> None:
        """Leaves nothing of the copy, in the caller's transaction."""


class Tables:
    """The tables of a copy: the live ones, in other schemas."""

    def __init__(
        self, schemas: Mapping[str, str], keys: Mapping[str, tuple[str, ...]], alone: Collection[str] = ()
    ) -> None:
        """schemas: those of the copy, by the live ones; keys: the columns that tell the rows of a live table apart;
        alone: live tables that are made and are not put right by the copy's"""
        self.schemas = schemas
        self.keys = keys
        self._all = {*keys, *alone}
        self._qualified = re.compile(rf"(?<!')\b({'|'.join(schemas)})\.(?=[a-z])")
        self._known: dict[str, str] = {}

    def redirected(self, sql: str) -> str:
        """A statement about the live tables, as one about the copy's."""
        if sql not in self._known:
            self._known[sql] = self._qualified.sub(lambda found: f"{self.schemas[found[1]]}.", sql)
        return self._known[sql]

    async def there(self, conn: Any) -> bool:
        """Whether one of the schemas is there."""
        found: bool = await conn.fetchval(SQL["there"], list(self.schemas.values()))
        return found

    async def stand(self, conn: Any) -> bool:
        """Whether every table is there."""
        found = {f"{live}.{row[0]}" for live, own in self.schemas.items() for row in await conn.fetch(SQL["of"], own)}
        return self._all <= found

    async def make(self, conn: Any) -> None:
        """Empty tables, as the live ones are."""
        for schema in self.schemas.values():
            await conn.execute(f"CREATE SCHEMA {schema}")
        for table in self._all:
            await conn.execute(f"CREATE TABLE {self.redirected(table)} (LIKE {table} INCLUDING ALL)")

    async def drop(self, conn: Any) -> None:
        """No table any more."""
        for schema in self.schemas.values():
            await conn.execute(f"DROP SCHEMA IF EXISTS {schema} CASCADE")

    async def put_right(self, conn: Any) -> dict[str, Difference]:
        """Makes the live tables what the copy is, in the caller's transaction, row by row where they differ."""
        gone = {t: [await conn.fetchval(sql) for sql in (self._surplus(t), self._other(t))] for t in self.keys}
        found: dict[str, Difference] = {}
        for table, (removed, changed) in gone.items():
            written = await conn.fetchval(self._missing(table))
            found[table] = Difference(written - changed, changed, removed)
        return found

    def _surplus(self, table: str) -> str:
        """Deletes live rows that the copy has not; counts them."""
        return (
            f"WITH gone AS (DELETE FROM {table} l WHERE NOT EXISTS "  # noqa: S608
            f"(SELECT FROM {self.redirected(table)} s WHERE {self._same(table)}) RETURNING 1) SELECT count(*) FROM gone"
        )

    def _other(self, table: str) -> str:
        """Deletes live rows that are other in the copy; counts them."""
        return (
            f"WITH gone AS (DELETE FROM {table} l USING {self.redirected(table)} s WHERE {self._same(table)} "  # noqa: S608
            "AND ROW(l.*) IS DISTINCT FROM ROW(s.*) RETURNING 1) SELECT count(*) FROM gone"
        )

    def _missing(self, table: str) -> str:
        """Inserts rows of the copy that do not stand; counts them."""
        return (
            f"WITH new AS (INSERT INTO {table} SELECT s.* FROM {self.redirected(table)} s WHERE NOT EXISTS "  # noqa: S608
            f"(SELECT FROM {table} l WHERE {self._same(table)}) RETURNING 1) SELECT count(*) FROM new"
        )

    def _same(self, table: str) -> str:
        return " AND ".join(f"l.{column} = s.{column}" for column in self.keys[table])


class Redirected:
    """A connection for which the tables of a copy are the live ones; sequences are the live ones."""

    def __init__(self, live: Any, tables: Tables) -> None:
        self.live = live
        self._tables = tables

    async def execute(self, sql: str, *values: Any) -> Any:
        """As asyncpg's."""
        return await self.live.execute(self._tables.redirected(sql), *values)

    async def fetch(self, sql: str, *values: Any) -> Any:
        """As asyncpg's."""
        return await self.live.fetch(self._tables.redirected(sql), *values)

    async def fetchrow(self, sql: str, *values: Any) -> Any:
        """As asyncpg's."""
        return await self.live.fetchrow(self._tables.redirected(sql), *values)

    async def fetchval(self, sql: str, *values: Any) -> Any:
        """As asyncpg's."""
        return await self.live.fetchval(self._tables.redirected(sql), *values)

    async def copy_records_to_table(self, table: str, *, schema_name: str, **given: Any) -> Any:
        """As asyncpg's."""
        return await self.live.copy_records_to_table(table, schema_name=self._tables.schemas[schema_name], **given)

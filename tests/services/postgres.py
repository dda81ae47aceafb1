"""A real PostgreSQL for tests: the embedded one, and a database of its own for whoever asks.

Durability is tested elsewhere, on a server that keeps it; here fsync is off, and a database is made in milliseconds.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Coroutine, Iterator
from contextlib import contextmanager
from itertools import count
from pathlib import Path
from threading import Thread
from typing import Any, TypeVar

import asyncpg

from ecluse.core.db.databases import AREAS
from ecluse.core.db.embedded import Embedded
from ecluse.core.db.migrate import migrate

T = TypeVar("T")
FAST = {
    "fsync": "off",
    "full_page_writes": "off",
    "shared_buffers": "128MB",
    "autovacuum_naptime": "5min",
    "max_connections": "200",
}
MIGRATED = "migrated"


class Postgres:
    """A running server and its databases; it works beside the loops of the tests, in a thread of its own."""

    def __init__(self, data: Path) -> None:
        self._numbers = count(1)
        self._templates: set[str] = set()
        self._loop = asyncio.new_event_loop()
        self._embedded = Embedded(data, FAST)
        self.url = self._loop.run_until_complete(
            self._embedded.start()
        )  # the server ends with the thread that starts it
        self._thread = Thread(target=self._loop.run_forever, daemon=True)
        self._thread.start()
        self._admin = self.wait(asyncpg.connect(self.url))
        self.run(f"CREATE DATABASE {MIGRATED} TEMPLATE template0")
        self.wait(_migrate(self.url_of(MIGRATED)))

    def wait(self, work: Coroutine[Any, Any, T]) -> T:
        """What the work returns."""
        return asyncio.run_coroutine_threadsafe(work, self._loop).result()

    def run(self, statement: str) -> None:
        """Runs one statement outside any transaction."""
        self.wait(self._admin.execute(statement))

    def url_of(self, database: str) -> str:
        """The address of a database."""
        return self.url.replace("/ecluse?", f"/{database}?")

    @contextmanager
    def database(self, template: str = MIGRATED) -> Iterator[str]:
        """The address of a new database, dropped at the end; it has the tables of all areas unless told otherwise."""
        name = f"test_{next(self._numbers)}"
        self.run(f"CREATE DATABASE {name} TEMPLATE {template} STRATEGY FILE_COPY")
        yield self.url_of(name)
        self.run(f"DROP DATABASE {name} WITH (FORCE)")

    def template(self, name: str, fill: Callable[[str], Coroutine[Any, Any, None]]) -> str:
        """The name of a database that others are made from: one with the tables of all areas, filled once."""
        if name not in self._templates:
            self.run(f"CREATE DATABASE {name} TEMPLATE {MIGRATED} STRATEGY FILE_COPY")
            self.wait(fill(self.url_of(name)))
            self._templates.add(name)
        return name

    def stop(self) -> None:
        """Ends the server."""
        self.wait(self._admin.close())
        self.wait(self._embedded.stop())
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join()
        self._loop.close()


async def _migrate(url: str) -> None:
    conn = await asyncpg.connect(url)
    try:
        await migrate(conn, list(dict.fromkeys(area for areas in AREAS.values() for area in areas)))
    finally:
        await conn.close()

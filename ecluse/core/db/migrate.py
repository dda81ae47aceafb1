"""Brings the schema of a database up to what this release expects.

Enters: a connection and areas (folders of `migrations/`). Leaves: the same database with every migration run once, in
order, each in a transaction of its own. Two processes that start together wait for each other.
"""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from importlib.resources import files
from typing import NamedTuple

from ecluse.core.db.pool import Connection
from ecluse.core.db.upkeep import unhurried
from ecluse.core.errors import EcluseError

LOCK = 0x6563_6C75


class MigrationError(EcluseError):
    """The database is not one that this release can work on."""


class Migration(NamedTuple):
    """One file of a folder."""

    area: str
    number: int
    slug: str
    sql: str

    @property
    def checksum(self) -> str:
        """Tells whether the file is still the one that was run."""
        return hashlib.sha256(self.sql.encode()).hexdigest()


def migrations(area: str) -> list[Migration]:
    """The migrations of an area, in order."""
    folder = files(__package__).joinpath("migrations", area)
    names = sorted(entry.name for entry in folder.iterdir() if entry.name.endswith(".sql"))
    return [
        Migration(area, int(name[:4]), name[5:].removesuffix(".sql"), folder.joinpath(name).read_text("utf-8"))
        for name in names
    ]


async def migrate(conn: Connection, areas: Sequence[str]) -> None:
    """Runs what has not been run.

    Raises: MigrationError when the database is newer than this release, or a migration that was run has changed since
    """
    async with unhurried(conn):
        await conn.execute("SELECT pg_advisory_lock($1)", LOCK)
        try:
            await conn.execute(
                "CREATE SCHEMA IF NOT EXISTS ecluse;"
                "CREATE TABLE IF NOT EXISTS ecluse.migration (area text, number int, slug text NOT NULL,"
                " checksum text NOT NULL, applied_at timestamptz NOT NULL DEFAULT now(), PRIMARY KEY (area, number))"
            )
            for area in areas:
                await _migrate_area(conn, area)
        finally:
            await conn.execute("SELECT pg_advisory_unlock($1)", LOCK)


async def _migrate_area(conn: Connection, area: str) -> None:
    known = migrations(area)
    done = {
        row["number"]: row["checksum"]
        for row in await conn.fetch("SELECT number, checksum FROM ecluse.migration WHERE area = $1", area)
    }
    newer = done.keys() - {migration.number for migration in known}
    if newer:
        raise MigrationError(
            f"The database has {area} migration {max(newer)}, which this release does not know; run a newer one."
        )
    for migration in known:
        if migration.number not in done:
            async with conn.transaction():
                await conn.execute(migration.sql)
                await conn.execute(
                    "INSERT INTO ecluse.migration (area, number, slug, checksum) VALUES ($1, $2, $3, $4)",
                    *(area, migration.number, migration.slug, migration.checksum),
                )
        elif done[migration.number] != migration.checksum:
            raise MigrationError(
                f"{area} migration {migration.number} ran in another form; a migration never changes after its release."
            )

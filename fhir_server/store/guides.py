"""Installed packages and their definitions.

Enters: a connection. Leaves: rows. Whoever installs or removes counts the generation on in the same transaction, so
that a process that read the old index notices.
"""

from __future__ import annotations

import json
from collections.abc import Iterable
from datetime import datetime
from typing import NamedTuple

from ecluse.core import clock
from ecluse.core.db import queries
from ecluse.core.db.pool import Connection
from ecluse.core.fhir import types
from ecluse.core.fhir.packages import Package
from ecluse.core.fhir.validation.profiles.library import Entry

SQL = queries.load(__package__, "guides.sql")
INDEXED = tuple(types.number_of[name] for name in ("StructureDefinition", "ValueSet", "CodeSystem", "Questionnaire"))
COLUMNS = ("package", "type", "url", "version", "describes", "body")


class Installed(NamedTuple):
    """One installed package. definitions, profiles: how many it has"""

    name: str
    version: str
    title: str
    canonical: str
    dependencies: dict[str, str]
    installed_at: datetime
    definitions: int
    profiles: int

    @property
    def id(self) -> str:
        """`name@version`."""
        return f"{self.name}@{self.version}"


async def generation(conn: Connection) -> int:
    """How often packages were installed or removed."""
    number: int = await conn.fetchval(SQL["generation"])
    return number


async def packages(conn: Connection) -> list[Installed]:
    """The installed packages, by name."""
    rows = [Installed(*row) for row in await conn.fetch(SQL["packages"])]
    return [row._replace(dependencies=json.loads(row.dependencies)) for row in rows]  # type: ignore[arg-type]


async def install(conn: Connection, coming: Iterable[Package]) -> None:
    """Stores packages, each in the place of the same version of the same name."""
    await conn.execute(SQL["next_generation"])
    for package in coming:
        await _remove(conn, package.name, package.version)
        row = (package.name, package.version, package.title, package.canonical, json.dumps(package.dependencies))
        pk = await conn.fetchval(SQL["add_package"], *row, clock.now())
        definitions = [(pk, types.number_of[one.type], *one[1:]) for one in package.definitions]
        await conn.copy_records_to_table("definition", schema_name="guide", columns=COLUMNS, records=definitions)


async def remove(conn: Connection, name: str, version: str) -> None:
    """Removes a package and its definitions."""
    await conn.execute(SQL["next_generation"])
    await _remove(conn, name, version)


async def _remove(conn: Connection, name: str, version: str) -> None:
    await conn.execute(SQL["remove_definitions"], name, version)
    await conn.execute(SQL["remove_package"], name, version)


async def index(conn: Connection) -> dict[str, Entry]:
    """Where each definition is, by url and by url|version."""
    found: dict[str, Entry] = {}
    for pk, url, version, describes in await conn.fetch(SQL["index"], INDEXED):
        found[url] = found[f"{url}|{version}"] = Entry(pk, describes)
    return found


async def profiles(conn: Connection) -> dict[str, list[str]]:
    """The profiles of installed packages, by the type that they are for."""
    found: dict[str, list[str]] = {}
    for kind, url in await conn.fetch(SQL["profiles"]):
        found.setdefault(kind, []).append(url)
    return found


async def bodies(conn: Connection, keys: Iterable[int]) -> dict[int, bytes]:
    """Definitions by their keys."""
    return dict(map(tuple, await conn.fetch(SQL["bodies"], list(keys))))

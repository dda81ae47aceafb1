"""CodeSystems, ValueSets and ConceptMaps by their address: which one a request means.

Enters: a connection, a site and an address. Leaves: a `Definition`. A resource of the site wins over what is loaded
for all sites, a loaded one over R4's own, a later version over an earlier one. The resource is the truth: its concepts
are read into the tables when somebody asks for the version that stands, in the transaction that asks.
Spec: http://hl7.org/fhir/R4/references.html#canonical
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from contextlib import suppress
from typing import Any, NamedTuple

from ecluse.core.db import queries
from ecluse.core.db.pool import Connection
from ecluse.core.errors import NotFound, Unprocessable
from ecluse.core.fhir import json, types
from ecluse.core.fhir.code_systems import spellings
from ecluse.core.fhir.definitions.search_parameters import paths_of
from fhir_server.store import resources
from fhir_server.store.canonicals import url_path, version_key
from fhir_server.terminology import base, loading
from fhir_server.terminology.loading import Origin
from fhir_server.terminology.savepoint import atomic
from mappers.search import uri

SQL = queries.load(__package__, "definitions.sql")
LOCK = 0x5445_524D


class Definition(NamedTuple):
    """One definition. site: 0 for all; concepts: how many a code system has here; body: JSON, without them."""

    pk: int
    site: int
    url: str
    version: str
    source: str
    concepts: int
    body: bytes

    @property
    def resource(self) -> dict[str, Any]:
        """The resource in memory."""
        value: dict[str, Any] = json.decode(self.body)
        return value

    @property
    def is_usable(self) -> bool:
        """Whether its concepts are here; a complete code system may have none, a supplement has those of another."""
        content = self.resource.get("content")
        return content == "complete" or (self.concepts > 0 and content != "supplement")

    @property
    def canonical(self) -> str:
        """Address and version, as FHIR writes both in one."""
        return f"{self.url}|{self.version}" if self.version else self.url


async def find(conn: Connection, site: int, kind: str, url: str, version: str = "") -> Definition | None:
    """The definition under this address, None when there is none.

    kind: CodeSystem, ValueSet or ConceptMap; url: may carry its version, `url|version`"""
    address, _, named = url.partition("|")
    return chosen(await candidates(conn, site, kind, address), version or named)


async def candidates(conn: Connection, site: int, kind: str, url: str) -> list[Definition]:
    """Every version under this address, each spelling of a code system's included."""
    await base.settle(conn)
    return await present(conn, site, kind, url)


async def present(conn: Connection, site: int, kind: str, url: str) -> list[Definition]:
    """The same, but that R4's own are not taken in first."""
    addresses = spellings(url) if kind == "CodeSystem" else (url,)
    indexed = [uri.normalise(address) for address in addresses]
    rows = await conn.fetch(SQL["candidates"], site, types.number_of[kind], addresses, url_path(kind), indexed)
    return [await _read(conn, site, kind, row) for row in rows]


def chosen(found: Iterable[Definition], version: str = "") -> Definition | None:
    """The one that a request without further wishes means; with a version, the one of that version."""
    matching = [one for one in found if not version or one.version == version]
    return max(matching, key=_rank, default=None)


async def of_id(conn: Connection, site: int, kind: str, resource_id: str) -> Definition:
    """The definition that the resource of this id holds.

    Raises: NotFound (404), Gone (410)"""
    stored = await resources.current(conn, site, kind, resource_id)
    return await read_resource(conn, site, kind, stored.pk, stored.version)


async def of_value_set(conn: Connection, site: int, url: str) -> Definition | None:
    """The code system whose value set of all codes has this address.

    Spec: http://hl7.org/fhir/R4/codesystem-definitions.html#CodeSystem.valueSet"""
    await read_all(conn, site, "CodeSystem")
    rows = await conn.fetch(SQL["of_value_set"], site, url)
    return chosen(Definition(*row) for row in rows)


async def supplements(conn: Connection, site: int, one: Definition) -> tuple[int, ...]:
    """The code systems whose designations and properties add to those of this one.

    Spec: http://hl7.org/fhir/R4/codesystem.html#supplements"""
    unread = await conn.fetch(
        SQL["unread_supplements"], site, types.number_of["CodeSystem"], _path("CodeSystem.content")
    )
    for row in unread:
        with suppress(Unprocessable):
            await read_resource(conn, site, "CodeSystem", row["pk"], row["version"])
    addresses = spellings(one.url)
    named = [*addresses, *(f"{address}|{one.version}" for address in addresses)]
    return tuple(row["pk"] for row in await conn.fetch(SQL["supplements"], site, named))


async def read_all(conn: Connection, site: int, kind: str) -> None:
    """Reads every resource of a type that was not read yet, for questions that name none. One that cannot be read
    hinders no other; who names it is told why."""
    for row in await conn.fetch(SQL["unread"], site, types.number_of[kind]):
        with suppress(Unprocessable):
            await read_resource(conn, site, kind, row["pk"], row["version"])


def unknown(kind: str, url: str, version: str, found: Sequence[Definition]) -> NotFound:
    """The error for an address that leads nowhere, with the way to mend it."""
    what = {"CodeSystem": "code system", "ValueSet": "value set", "ConceptMap": "concept map"}[kind]
    if found and version:
        here = ", ".join(sorted({one.version or "one without version" for one in found}))
        return NotFound(f"Version {version} of {what} {url} is not here; here: {here}.", diagnostics=f"{url}|{version}")
    text = f"There is no {what} {url} here; POST it as a {kind}, or load it with `ecluse terminology load`."
    return NotFound(text, diagnostics=url)


async def _read(conn: Connection, site: int, kind: str, row: Any) -> Definition:
    if row["pk"] is None:
        return await read_resource(conn, site, kind, row["resource_pk"], row["resource_version"])
    return Definition(*row[:7])


async def read_resource(conn: Connection, site: int, kind: str, pk: int, version: int) -> Definition:
    """The definition that one version of a resource holds, read when it was not yet."""
    row = await conn.fetchrow(SQL["of_resource"], pk, version)
    if row is None:
        async with atomic(conn):
            await conn.execute(SQL["lock_resource"], LOCK, pk)
            row = await conn.fetchrow(SQL["of_resource"], pk, version)
            if row is None:
                body = json.decode(await conn.fetchval(SQL["body"], pk, version))
                await loading.load(conn, Origin(f"{kind}/{body['id']}", site, pk, version), body)
                (row,) = await conn.fetch(SQL["of_resource"], pk, version)
    return Definition(*row)


def _path(text: str) -> int:
    return next(path.number for path in paths_of(text.partition(".")[0]) if path.text == text)


def _rank(one: Definition) -> tuple[bool, bool, list[tuple[int, str]], int]:
    """What wins: the site's own, then what was loaded, then the later version, then the later load."""
    return one.site > 0, one.source != base.SOURCE, version_key(one.version), one.pk

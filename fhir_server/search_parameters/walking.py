"""One batch of the walk over what stands, for a parameter that is being built.

Enters: the parameter and a place. Leaves: the rows of its own paths as the bodies say, or the proof that they are; the
claims of a unique one. The resources are locked as writers lock them, so that neither overlooks what the other does.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Sequence
from typing import Any, NamedTuple

from ecluse.core.db import queries
from ecluse.core.db.pool import Connection
from ecluse.core.fhir import json, types
from ecluse.core.fhir.fhirpath.failures import FhirPathError
from ecluse.related.registries import Made
from fhir_server.search_parameters import claims
from fhir_server.search_parameters.claims import Claimed
from fhir_server.slices import in_slices
from fhir_server.store import erase, search_rows
from mappers.search.evaluated import visit_of
from mappers.search.index import index_rows, once
from mappers.search.rows import IndexRows, no_rows

SQL = queries.load(__package__, "building.sql")
AT_ONCE = 200


class Failed(Exception):
    """The parameter cannot be served, and why."""


class Walk(NamedTuple):
    """A place of a walk: the resources of a type in a site after a key. verify: compare, and claim what is unique"""

    made: Made
    site: int
    type: int
    after: int
    verify: bool


async def walk(conn: Connection, this: Walk) -> list[int]:
    """The keys of the resources that were taken, in their order; none when there are no more.

    Raises: Failed when the parameter cannot be served
    """
    keys = await conn.fetch(SQL["walk"], this.site, this.type, this.after, AT_ONCE)
    if not keys:
        return []
    pks = [row["pk"] for row in keys]
    await conn.fetch(SQL["lock"], this.site, this.type, pks)
    rows = await conn.fetch(erase.SQL["standing"], this.site, [this.type] * len(pks), pks)
    standing = [row for row in rows if row["body"] is not None]
    await (_verify if this.verify else _fill)(conn, this, standing)
    return pks


async def _fill(conn: Connection, this: Walk, standing: Sequence[Any]) -> None:
    """Puts the rows of the parameter's own paths right."""
    wanted = [(row["pk"], rows) async for row, _, rows in _read(this, standing)]
    held = await _held(conn, this, [pk for pk, _ in wanted])
    await search_rows.drop(conn, this.site, [(pk, search_rows.without(held[pk], rows)) for pk, rows in wanted])
    await search_rows.add(conn, this.site, [(pk, search_rows.without(rows, held[pk])) for pk, rows in wanted])


async def _verify(conn: Connection, this: Walk, standing: Sequence[Any]) -> None:
    """Raises: Failed when a row is missing or one too many, or a value that must be unique is not"""
    held = await _held(conn, this, [row["pk"] for row in standing])
    claimed: list[Claimed] = []
    async for row, resource, rows in _read(this, standing):
        if [sorted(kind) for kind in rows] != [sorted(kind) for kind in held[row["pk"]]]:
            raise Failed(f"the index rows of {_name(this, row)} are not what it says; ask for it again")
        if this.made.unique:
            claimed += _claims(this, row, resource, rows)
    if shared := await claims.claim(conn, this.site, claimed):
        told = [f"{one.claimed.claim[2]}: {_of(this, one.claimed.id)}, {_of(this, one.holder)}" for one in shared[:10]]
        raise Failed(f"these values are not unique: {'; '.join(told)}")


async def _read(this: Walk, standing: Sequence[Any]) -> AsyncIterator[tuple[Any, dict[str, Any], IndexRows]]:
    """Each resource with the rows that its own paths have. Raises: Failed when a path cannot be evaluated"""
    name = types.name_of[this.type]
    visit = visit_of(name, [path for path in this.made.paths if path.resource_type == name], strict=True)
    async for row in in_slices(standing):
        resource, rows = json.decode(row["body"]), no_rows()
        try:
            visit(resource, rows)
        except FhirPathError as error:
            raise Failed(f"its expression cannot be evaluated on {_name(this, row)}: {error}") from error
        yield row, resource, once(rows)


async def _held(conn: Connection, this: Walk, pks: Sequence[int]) -> dict[int, IndexRows]:
    """The rows of its own paths that stand."""
    own = frozenset(path.number for path in this.made.paths)
    held = await search_rows.held(conn, pks)
    return {pk: search_rows.of_paths(rows, own) for pk, rows in held.items()}


def _claims(this: Walk, row: Any, resource: dict[str, Any], rows: IndexRows) -> list[Claimed]:
    """What a resource claims; R4's own paths are read when the parameter shares them."""
    name = types.name_of[this.type]
    paths = set(this.made.readings[name]["paths"])
    every = rows if paths <= {path.number for path in this.made.paths} else _all(name, resource, rows)
    found = {(system, code) for path, _, system, code in every.tokens if path in paths and code}
    return [Claimed(0, row["pk"], this.type, row["id"], (this.made.pk, *one)) for one in sorted(found)]


def _all(name: str, resource: dict[str, Any], rows: IndexRows) -> IndexRows:
    return search_rows.together(index_rows(name, resource), rows)


def _name(this: Walk, row: Any) -> str:
    return _of(this, row["id"])


def _of(this: Walk, own: str) -> str:
    return f"{types.name_of[this.type]}/{own}"

"""Values that only one resource of a type in a site may have.

Enters: what resources claim and give up. Leaves: rows of fhir.claim, one a value; the unique index decides between two
that come at the same moment.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any, NamedTuple

from ecluse.core.db import queries
from ecluse.core.db.pool import Connection
from ecluse.core.errors import Conflict, Issue
from ecluse.core.fhir import types
from mappers.search.claims import Claim

SQL = queries.load(__package__, "claims.sql")


class Claimed(NamedTuple):
    """One claim of a resource. entry: of the write; id: of the resource; claim: what it claims"""

    entry: int
    pk: int
    type: int
    id: str
    claim: Claim


class Shared(NamedTuple):
    """A claim that another resource has, by its id."""

    claimed: Claimed
    holder: str


def columns(claimed: Iterable[Claimed]) -> list[list[Any]]:
    """Keys, types, parameters, systems, codes."""
    rows = [(one.pk, one.type, *one.claim) for one in claimed]
    return [list(column) for column in zip(*rows, strict=True)] if rows else [[], [], [], [], []]


async def claim(conn: Connection, site: int, claimed: Sequence[Claimed]) -> list[Shared]:
    """Claims values; those that another resource has are returned."""
    if not claimed:
        return []
    await conn.execute(SQL["claim"], site, *columns(claimed))
    return [
        Shared(claimed[row["place"]], row["id"]) for row in await conn.fetch(SQL["holders"], site, *columns(claimed))
    ]


async def release(conn: Connection, site: int, claimed: Sequence[Claimed]) -> None:
    """Gives values up."""
    if claimed:
        await conn.execute(SQL["release"], site, *columns(claimed))


def refused(shared: Sequence[Shared], names: dict[int, str]) -> Conflict:
    """The error of a write that claims what others have. names: of the parameters"""
    first = shared[0].claimed.entry
    issues = []
    for one in shared:
        if one.claimed.entry == first:
            kind = types.name_of[one.claimed.type]
            text = f"{kind}/{one.holder} has this value already, which only one {kind} of the site may have."
            issues.append(Issue(text, kind, f"{one.claimed.claim[2]} ({names[one.claimed.claim[0]]})", "duplicate"))
    error = Conflict(issues=issues)
    error.entry = first
    return error

"""Issues of resources that are stored although they do not pass.

Enters: the connection of the write's own transaction, and what was found of what it wrote. Leaves: rows, one an issue
of a current version. An update replaces them, a delete removes them.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from datetime import datetime
from typing import Any, NamedTuple

from ecluse.core.db import queries
from ecluse.core.db.pool import Connection
from ecluse.core.errors import Issue
from ecluse.core.fhir import types

SQL = queries.load(__package__, "flags.sql")
_INDEX = re.compile(r"\[\d+\]")


class Findings:
    """Issues by the resource that they are about. A resource is known by its identity: it is the same object from its
    acceptance to its write."""

    def __init__(self) -> None:
        self._found: dict[int, tuple[dict[str, Any], Sequence[Issue]]] = {}

    def note(self, resource: dict[str, Any], issues: Sequence[Issue]) -> None:
        """Keeps what was found of a resource, also that nothing was."""
        self._found[id(resource)] = (resource, issues)

    def of(self, resource: dict[str, Any] | None) -> Sequence[Issue] | None:
        """What was found of a resource, None when it was not looked at."""
        return self._found[id(resource)][1] if id(resource) in self._found else None

    def __bool__(self) -> bool:
        return bool(self._found)


class Flagged(NamedTuple):
    """A written resource and what was found of it."""

    pk: int
    type: str
    version: int
    issues: Sequence[Issue]


class Standing(NamedTuple):
    """A current version, and who sent it."""

    pk: int
    version: int
    sender: str
    body: bytes


class Flag(NamedTuple):
    """One issue of a stored resource."""

    pk: int
    position: int
    site: str
    type: str
    id: str
    version: int
    flagged_at: datetime
    sender: str
    severity: str
    code: str
    profile: str
    expression: str
    text: str
    diagnostics: str


class Count(NamedTuple):
    """How often an issue is found. resources: that have it; issues: places at which they do"""

    site: str
    profile: str
    type: str
    severity: str
    code: str
    path: str
    text: str
    resources: int
    issues: int


class Filter(NamedTuple):
    """Which issues are meant; None: any."""

    site: str | None = None
    profile: str | None = None
    type: str | None = None
    severity: str | None = None
    code: str | None = None
    path: str | None = None
    id: str | None = None

    @property
    def arguments(self) -> tuple[Any, ...]:
        """As the statements take them."""
        number = types.number_of[self.type] if self.type else None
        return (self.site, self.profile, number, self.severity, self.code, self.path, self.id)


async def replace(conn: Connection, site: int, sender: str, now: datetime, flagged: Sequence[Flagged]) -> None:
    """Puts these issues in the place of those that were found of the same resources before."""
    await conn.execute(SQL["drop"], [one.pk for one in flagged])
    rows = [_row(one, position, issue) for one in flagged for position, issue in enumerate(one.issues)]
    if rows:
        await conn.execute(SQL["add"], site, now, sender, *map(list, zip(*rows, strict=True)))


async def standing(
    conn: Connection, site: int, resource_type: str, after: int, limit: int, resource_id: str | None = None
) -> list[Standing]:
    """Current versions in the order of their keys, held until the transaction ends. resource_id: of this one alone"""
    rows = await conn.fetch(SQL["standing"], site, types.number_of[resource_type], after, limit, resource_id)
    return [Standing(*row) for row in rows]


def _row(one: Flagged, position: int, issue: Issue) -> tuple[Any, ...]:
    path = _INDEX.sub("", issue.expression)
    told = (issue.severity, issue.code, issue.profile, path, issue.expression, issue.text, issue.diagnostics)
    return (one.pk, types.number_of[one.type], one.version, position, *(text.replace("\x00", "") for text in told))


async def found(conn: Connection, wanted: Filter, *, after: tuple[int, int] = (0, -1), limit: int) -> list[Flag]:
    """Issues in the order of their resources."""
    rows = await conn.fetch(SQL["list"], *wanted.arguments, *after, limit)
    return [Flag(*row)._replace(type=types.name_of[row["type"]]) for row in rows]


async def counts(conn: Connection, wanted: Filter, *, skipped: int = 0, limit: int) -> list[Count]:
    """Issues by site, profile and kind, errors before warnings, the most frequent first. skipped: those before"""
    rows = await conn.fetch(SQL["counts"], *wanted.arguments, skipped, limit)
    return [Count(*row)._replace(type=types.name_of[row["type"]]) for row in rows]

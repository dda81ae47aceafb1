"""A search as data: what `parse` understood and `compile` turns into SQL.

Enters: nothing. Leaves: frozen values. A cursor is a place in an ordered result; its text holds all that is needed to
go on from there, so that no server keeps anything between two pages.
"""

from __future__ import annotations

import binascii
from base64 import urlsafe_b64decode, urlsafe_b64encode
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Annotated, Any, Literal, NamedTuple

import msgspec

from ecluse.core.errors import BadRequest
from mappers.search.question import Value

Kind = Literal["token", "reference", "string", "date", "uri", "_id", "_lastUpdated"]
Order = Literal["pk", "_id", "_lastUpdated", "date"]
Total = Literal["none", "estimate", "accurate"]


class Clause(NamedTuple):
    """A resource matches when one of its rows under one of the paths matches one of the values. selective: how few
    resources one value is likely to leave, 0 the fewest; single: a resource has at most one row under these paths."""

    code: str
    kind: Kind
    paths: tuple[int, ...]
    values: tuple[Value, ...]
    selective: int
    single: bool = False


class Sort(NamedTuple):
    """The order of the results; resources of equal value follow in the order of their keys. paths: those of the date
    parameter that is sorted by; resources without a date come last."""

    by: Order = "pk"
    descending: bool = False
    paths: tuple[int, ...] = ()


BY_KEY = Sort()
"""The order that costs nothing: that of creation."""


class Cursor(msgspec.Struct, frozen=True, array_like=True):
    """The last resource of a page. updated: the instant that the order compares, of whatever kind."""

    by: Order
    descending: bool
    paths: tuple[int, ...]
    pk: Annotated[int, msgspec.Meta(ge=0, le=2**63 - 1)]
    id: Annotated[str, msgspec.Meta(pattern=r"^[A-Za-z0-9.-]{1,64}\Z")]
    updated: Annotated[datetime, msgspec.Meta(tz=True)]

    @property
    def text(self) -> str:
        """The cursor as it stands in a link."""
        return urlsafe_b64encode(msgspec.msgpack.encode(self)).rstrip(b"=").decode()


@dataclass(frozen=True, slots=True)
class SearchQuery:
    """One search of one type. All clauses hold. count: resources on a page; total: `none`, `estimate` or `accurate`;
    understood: name and text of each parameter that was obeyed, for the self link; ignored: of those that were not,
    with the reason."""

    type: str
    clauses: tuple[Clause, ...] = ()
    sort: Sort = BY_KEY
    count: int = 50
    cursor: Cursor | None = None
    total: Total = "none"
    count_only: bool = False
    understood: tuple[tuple[str, str], ...] = ()
    ignored: tuple[str, ...] = ()

    @property
    def wants_total(self) -> bool:
        """Whether the number of matches is part of the answer."""
        return self.count_only or self.total != "none" or not self.count

    def after(self, row: Mapping[str, Any]) -> Cursor:
        """The cursor that continues after this row of a page."""
        instant: datetime = row["moment"] if self.sort.by == "date" else row["updated"]
        return Cursor(*self.sort, row["pk"], row["id"], instant.replace(tzinfo=UTC))  # asyncpg's infinity has no zone


def cursor(text: str, sort: Sort) -> Cursor:
    """The cursor of a link.

    Raises: BadRequest (400) when it is none of this server's, or of a search in another order"""
    try:
        found = msgspec.msgpack.decode(urlsafe_b64decode(text + "=" * (-len(text) % 4)), type=Cursor)
    except (msgspec.MsgspecError, binascii.Error, ValueError):
        raise BadRequest(
            "_cursor: follow the `next` link of a page as it is.", diagnostics=f'found "{text[:80]}"'
        ) from None
    if (found.by, found.descending, found.paths) != sort:
        raise BadRequest("_cursor: this link belongs to a search in another order; start again without it.")
    return found

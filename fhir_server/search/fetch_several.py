"""What a search over several types or sites finds.

Enters: a connection and legs in the same order. Leaves: one page of them all. Each leg is asked for a page of its own,
without bodies, by the statements of a search of its type; the pages are merged. Keys of resources are unique over types
and sites, so the order of the whole is that of its parts, and so is the place after which a page begins.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, NamedTuple

from ecluse.related.follower import SQL
from fhir_server.search import fetch
from fhir_server.search.cursor import Key, after
from fhir_server.search.query import SearchQuery
from fhir_server.search.search import Leg


class Match(NamedTuple):
    """A resource that matches. row: with `pk`, `id`, `version` and the keys of the order; body: empty until it is
    fetched"""

    leg: Leg
    row: Any
    body: bytes = b""


async def page(conn: Any, legs: Sequence[Leg], asked: SearchQuery) -> list[Match]:
    """The matches of one page in order, and one more when there is a next page. asked: what all legs share"""
    found = [
        Match(leg, row) for leg in legs for row in await fetch.page(conn, leg.site.number, leg.query, bodies=False)
    ]
    _sort(found, asked)
    shown = found[: asked.count + 1]
    keys, versions = [one.row["pk"] for one in shown], [one.row["version"] for one in shown]
    bodies = {row["pk"]: row["body"] for row in await conn.fetch(SQL["bodies"], keys, versions)} if shown else {}
    return [one._replace(body=bodies[one.row["pk"]]) for one in shown if one.row["pk"] in bodies]


def _sort(found: list[Match], asked: SearchQuery) -> None:
    """Sorts by the last key first, since sorting keeps what is equal in its order."""
    found.sort(key=lambda one: one.row["pk"], reverse=asked.descending)
    for place, key in reversed([*enumerate(asked.sort)]):
        keys = {one.row["pk"]: _place(after(asked.sort, one.row).keys[place], last=not key.descending) for one in found}
        found.sort(key=lambda one, keys=keys: keys[one.row["pk"]], reverse=key.descending)  # type: ignore[misc]


def _place(key: Key, *, last: bool) -> tuple[Any, ...]:
    """What compares as the key does, with what has none behind all, or before."""
    return (last,) if key is None else (not last, key)

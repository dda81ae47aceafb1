"""What the database touched for a search: rows read and blocks, by EXPLAIN (ANALYZE, BUFFERS).

Enters: a connection and the text of a search. Leaves: sums over all statements of its page. The statements are those
that the server sends: its own code runs them here, on a connection that explains each one.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import asyncpg
import msgspec

from fhir_server.search import fetch
from fhir_server.search.parse import parse

SITE = 1


@dataclass(frozen=True, slots=True)
class Touched:
    """rows: read from tables and indexes, also those that a filter threw away; blocks: of 8 kB; off: how far the worst
    estimate of a node was, as a factor; plan: the nodes of the dearest statement"""

    query: str
    statements: int
    rows: int
    blocks: int
    off: float
    plan: list[str]


UNTOUCHED = Touched("", 0, 0, 0, 1.0, [])


class _Explaining:
    """A connection that explains each statement before it runs it."""

    def __init__(self, conn: asyncpg.Connection) -> None:
        self._conn = conn
        self.plans: list[dict[str, Any]] = []

    async def fetch(self, sql: str, *arguments: Any) -> list[asyncpg.Record]:
        """Rows of the statement."""
        await self._explain(sql, arguments)
        return await self._conn.fetch(sql, *arguments)

    async def fetchrow(self, sql: str, *arguments: Any) -> asyncpg.Record | None:
        """Its first row."""
        await self._explain(sql, arguments)
        return await self._conn.fetchrow(sql, *arguments)

    async def fetchval(self, sql: str, *arguments: Any) -> Any:
        """Its first value."""
        await self._explain(sql, arguments)
        return await self._conn.fetchval(sql, *arguments)

    async def _explain(self, sql: str, arguments: tuple[Any, ...]) -> None:
        text = await self._conn.fetchval(f"EXPLAIN (ANALYZE, BUFFERS, FORMAT JSON) {sql}", *arguments)
        self.plans.append(msgspec.json.decode(text)[0]["Plan"])


async def touched(conn: asyncpg.Connection, query: str) -> Touched:
    """What the page of a search, or its count, touched."""
    resource_type, _, text = query.partition("?")
    explaining, search = _Explaining(conn), parse(resource_type, text)
    if not search.count_only:
        await fetch.page(explaining, SITE, search)
    if search.wants_total:
        await fetch.total(explaining, SITE, search)
    rows = sum(_rows(node) for plan in explaining.plans for node in _nodes(plan))
    off = max((_off(node) for plan in explaining.plans for node in _nodes(plan)), default=1.0)
    dearest = max(explaining.plans, key=_blocks)
    return Touched(
        query, len(explaining.plans), rows, sum(map(_blocks, explaining.plans)), round(off, 1), list(_shown(dearest))
    )


def _nodes(node: dict[str, Any]) -> Iterator[dict[str, Any]]:
    yield node
    for child in node.get("Plans", []):
        yield from _nodes(child)


def _rows(node: dict[str, Any]) -> int:
    if "Scan" not in node["Node Type"] or node["Node Type"] == "Subquery Scan":
        return 0
    read = node["Actual Rows"] + node.get("Rows Removed by Filter", 0) + node.get("Rows Removed by Index Recheck", 0)
    return round(read * node["Actual Loops"])


def _off(node: dict[str, Any]) -> float:
    """By how much the estimate of a node's rows was wrong; nodes that were ended early tell nothing."""
    if not node["Actual Loops"] or "Limit" in node["Node Type"]:
        return 1.0
    estimated, real = max(node["Plan Rows"], 1), max(node["Actual Rows"], 1)
    return max(estimated / real, real / estimated)


def _blocks(plan: dict[str, Any]) -> int:
    return int(plan["Shared Hit Blocks"] + plan["Shared Read Blocks"])


def _shown(node: dict[str, Any], depth: int = 0) -> Iterator[str]:
    """The plan as lines: node, index, rows estimated and real, loops, blocks."""
    place = node.get("Index Name") or node.get("Relation Name", "")
    real = f"{node['Actual Rows']:g}×{node['Actual Loops']}"
    yield f"{'  ' * depth}{node['Node Type']} {place} est {node['Plan Rows']} real {real} blocks {_blocks(node)}"
    for child in node.get("Plans", []):
        yield from _shown(child, depth + 1)

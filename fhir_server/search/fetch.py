"""What a search finds, page by page.

Enters: a connection, a site and a query. Leaves: rows and numbers.
"""

from __future__ import annotations

from typing import Any

from fhir_server.search import compile, plan
from fhir_server.search.query import SearchQuery


async def page(conn: Any, site: int, query: SearchQuery, *, bodies: bool = True) -> list[Any]:
    """Rows of one page in order, (pk, id, version, updated, body, k0, k1 …), and one more when there is a next page."""
    decided = await planned(conn, site, query)
    rows = await _page(conn, site, query, decided, bodies)
    if decided.instead is not None and len(rows) <= query.count:
        rows = await _page(conn, site, query, decided.instead, bodies)
    return rows[: query.count + 1]


async def _page(conn: Any, site: int, query: SearchQuery, decided: plan.Plan, bodies: bool) -> list[Any]:
    rows: list[Any] = []
    for sql, arguments in compile.legs(site, query, decided, bodies=bodies):
        rows += await conn.fetch(sql, *arguments)
        if len(rows) > query.count or decided.instead is not None:
            break
    return rows


async def planned(conn: Any, site: int, query: SearchQuery) -> plan.Plan:
    """The plan of a page; what it depends on is counted when it is not settled by the query alone."""
    settled = plan.settled(query)
    if settled is not None:
        return settled
    sql, arguments = plan.counts(site, query)
    return plan.decided(query, await conn.fetchrow(sql, *arguments))


async def total(conn: Any, site: int, query: SearchQuery) -> int:
    """How many resources match."""
    sql, arguments = compile.count(site, query)
    found: int = await conn.fetchval(sql, *arguments)
    return found

"""How many resources match, as far as that is worth its time.

Enters: a connection and a search. Leaves: a number, or none and the reason. PostgreSQL's estimates of conditions that
hold together are wrong by large factors, so a number is counted where that is quick, and estimated only where not.
Spec: http://hl7.org/fhir/R4/search.html#total
"""

from __future__ import annotations

import asyncio
from typing import Any

from ecluse.core.errors import Issue
from ecluse.core.fhir import json
from fhir_server.search import compile, compile_explained, fetch
from fhir_server.search.page import Page
from fhir_server.search.search import Search

ESTIMATED_AFTER_MS = 100
"""How long an estimate may count before it asks the planner."""
LEFT_OUT = (
    "The total is left out: counting took longer than {limit_ms} ms (ECLUSE_SEARCH_TOTAL_MS). Ask for _total=estimate,"
    " or for less."
)


async def tell(conn: Any, search: Search, page: Page, limit_ms: int) -> None:
    """Adds to a page how many resources match. limit_ms: for a total that comes beside resources"""
    asked = search.asked
    estimated = asked.total == "estimate"
    limit = None if asked.shows_none and not estimated else min(limit_ms, ESTIMATED_AFTER_MS) if estimated else limit_ms
    try:
        async with asyncio.timeout(None if limit is None else limit / 1000):
            page.total = sum([await fetch.total(conn, leg.site.number, leg.query) for leg in search.legs])
    except TimeoutError:
        if estimated:
            page.total = await _estimate(conn, search)
        else:
            page.remarks.append(Issue(LEFT_OUT.format(limit_ms=limit_ms), code="timeout", severity="warning"))


async def _estimate(conn: Any, search: Search) -> int:
    """The planner's number."""
    total = 0
    for leg in search.legs:
        sql, arguments = compile.keys(leg.site.number, leg.query)
        (plan,) = json.decode(await conn.fetchval(compile_explained.planned(sql), *arguments))
        total += plan["Plan"]["Plan Rows"]
    return total

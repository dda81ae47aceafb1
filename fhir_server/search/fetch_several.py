"""What a search over several types or sites finds.

Enters: a connection and legs in the same order. Leaves: one page of them all.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from fhir_server.search import compile_several, fetch
from fhir_server.search.search import Leg


async def page(conn: Any, legs: Sequence[Leg]) -> list[Any]:
    """Rows of one page in order, (leg, pk, id, version, body, k0, k1 …), and one more when there is a next page."""
    if not legs:
        return []
    asked = [(leg.site.number, leg.query, await fetch.planned(conn, leg.site.number, leg.query)) for leg in legs]
    sql, arguments = compile_several.page(asked)
    found: list[Any] = await conn.fetch(sql, *arguments)
    return found

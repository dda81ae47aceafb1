"""search of one type: parsed, compiled, run, and paged.

Spec: http://hl7.org/fhir/R4/http.html#search
"""

from __future__ import annotations

from typing import Any

from fhir_server.http import negotiation
from fhir_server.http.request import Answer, Request
from fhir_server.search import fetch
from fhir_server.search.deadline import bounded
from fhir_server.search.page import bundle
from fhir_server.search.parse import parse
from fhir_server.search.terms import resolved
from fhir_server.server import Server


async def search(server: Server, request: Request) -> Answer:
    """200 with a searchset bundle; `next` leads to the rest.

    Raises: BadRequest (400) for what the server does not know, unless the client prefers lenient handling;
    TooSlow (503) when it takes longer than it may
    """
    (resource_type, *_) = request.segments
    query = parse(resource_type, request.query, base=request.base, lenient=negotiation.is_lenient(request.headers))
    rows: list[Any] = []
    total = None
    async with server.connection() as conn, bounded(server.settings.search_timeout_ms):
        query = await resolved(conn, request.site.number, query)
        if not query.count_only and query.count:
            rows = await fetch.page(conn, request.site.number, query)
        if query.wants_total:
            total = await fetch.total(conn, request.site.number, query)
    return Answer(200, bundle(request, query, rows, total))


async def search_by_form(server: Server, request: Request) -> Answer:
    """The same, its parameters in a form, which have become those of the query when the request came in."""
    negotiation.check_content_type(request.headers, negotiation.FORM)
    return await search(server, request._replace(segments=request.segments[:1]))

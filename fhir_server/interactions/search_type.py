"""search of one type: what its parameters ask for, as a search of one leg.

Spec: http://hl7.org/fhir/R4/http.html#search
"""

from __future__ import annotations

from functools import partial

from ecluse.core.errors import BadRequest
from fhir_server.http import negotiation
from fhir_server.http.request import Answer, Request
from fhir_server.search.answer import answer
from fhir_server.search.parse import parse
from fhir_server.search.query import SearchQuery
from fhir_server.search.search import Leg, Search
from fhir_server.server import Server


async def search(server: Server, request: Request) -> Answer:
    """200 with a searchset bundle; `next` leads to the rest.

    Raises: BadRequest (400) for what the server does not know, unless the client prefers lenient handling;
    TooSlow (503) when it takes longer than it may
    """
    (resource_type, *_) = request.segments
    query = await _understood(server, request, resource_type)
    leg = Leg(request.site, request.base, query, server.registries.known(request.site.number))
    return await answer(server, Search(f"{request.base}/{resource_type}", query, (leg,)))


async def _understood(server: Server, request: Request, resource_type: str) -> SearchQuery:
    """The search, by the parameters that the site has now; what is left out was not known after another look."""
    read = partial(parse, resource_type, request.query, base=request.base)
    try:
        return await server.understood(request.site, request.query, lambda registry: read(registry=registry))
    except BadRequest:
        if not negotiation.is_lenient(request.headers):
            raise
    return read(lenient=True, registry=server.registries.known(request.site.number))


async def search_by_form(server: Server, request: Request) -> Answer:
    """The same, its parameters in a form, which have become those of the query when the request came in."""
    negotiation.check_content_type(request.headers, negotiation.FORM)
    return await search(server, request._replace(segments=request.segments[:1]))

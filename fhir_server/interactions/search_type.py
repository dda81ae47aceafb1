"""search of one type: what its parameters ask for, as a search of one leg.

Spec: http://hl7.org/fhir/R4/http.html#search
"""

from __future__ import annotations

from functools import partial

from fhir_server.http.request import Answer, Request
from fhir_server.search.answer import answer
from fhir_server.search.parse import filled, parse
from fhir_server.search.reach import Extent, over, understood
from fhir_server.search.search import Leg, Search
from fhir_server.server import Server


async def search(server: Server, request: Request) -> Answer:
    """200 with a searchset bundle; `next` leads to the rest.

    Raises: BadRequest (400) for what the server does not know, unless the client prefers lenient handling;
    TooSlow (503) when it takes longer than it may
    """
    (resource_type, *_) = request.segments
    request = request._replace(query=filled(request.query))
    if request.across:
        return await answer(server, await over(server, request, Extent((resource_type,), named=False)))
    query = await understood(
        server, request, request.site, partial(parse, resource_type, request.query, base=request.base)
    )
    leg = Leg(request.site, request.base, query, server.registries.known(request.site.number))
    return await answer(server, Search(f"{request.base}/{resource_type}", query, (leg,)))

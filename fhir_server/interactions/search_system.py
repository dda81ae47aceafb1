"""search over several types, or all: what they have in common.

Spec: http://hl7.org/fhir/R4/http.html#search
"""

from __future__ import annotations

from fhir_server.http.request import Answer, Request
from fhir_server.search.answer import answer
from fhir_server.search.parse import filled
from fhir_server.search.parse_several import types_in
from fhir_server.search.reach import Extent, over
from fhir_server.server import Server


async def search(server: Server, request: Request) -> Answer:
    """200 with a searchset of resources of the types that `_type` names, or of all.

    Raises: BadRequest (400) for what not all of these types have, TooSlow (503) when it takes longer than it may
    """
    request = request._replace(query=filled(request.query))
    return await answer(server, await over(server, request, Extent(types_in(request.query), named=True)))

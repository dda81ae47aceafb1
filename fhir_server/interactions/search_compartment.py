"""search within a compartment: of one type, or of all that it can hold.

Spec: http://hl7.org/fhir/R4/http.html#vsearch
"""

from __future__ import annotations

from fhir_server.http.request import Answer, Request
from fhir_server.search.answer import answer
from fhir_server.search.membership import Compartment
from fhir_server.search.parse import filled
from fhir_server.search.parse_several import types_in
from fhir_server.search.reach import Extent, over
from fhir_server.server import Server

EVERY = ("*", "_search")
"""`Patient/1/*`, or a form to `Patient/1/_search`."""


async def search(server: Server, request: Request) -> Answer:
    """200 with a searchset of what is in the compartment.

    Raises: NotFound (404) for a type that is never in it, and what searches raise
    """
    name, own, kind, *_ = request.segments
    request = request._replace(query=filled(request.query))
    every = kind in EVERY
    extent = Extent(types_in(request.query) if every else (kind,), every, Compartment(name, own))
    return await answer(server, await over(server, request, extent))

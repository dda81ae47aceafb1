"""read: the current version of a resource, as it is stored.

Spec: http://hl7.org/fhir/R4/http.html#read
"""

from __future__ import annotations

from fhir_server.http import query
from fhir_server.http.request import Answer, Request
from fhir_server.server import Server
from fhir_server.store import resources
from fhir_server.subscriptions.taking import SUBSCRIPTION, shown


async def read(server: Server, request: Request) -> Answer:
    """200 with the resource, its version and instant.

    Raises: BadRequest (400) for a parameter that it does not take, NotFound (404), Gone (410)
    """
    query.check(request, query.READ)
    resource_type, resource_id = request.segments
    async with server.connection() as conn:
        stored = await resources.current(conn, request.site.number, resource_type, resource_id)
        body = stored.body or b""
        if resource_type == SUBSCRIPTION:
            body = await shown(conn, request.site.number, resource_id, body)
    return Answer(200, body, stored.version, stored.updated)

"""delete: the resource is gone from reads and searches; its history stays.

Spec: http://hl7.org/fhir/R4/http.html#delete
"""

from __future__ import annotations

from fhir_server.http import negotiation
from fhir_server.http.request import Answer, Request
from fhir_server.interactions.writing import write_in_transaction
from fhir_server.server import Server
from fhir_server.store.write import Intent


async def delete(server: Server, request: Request) -> Answer:
    """204, also when it is gone already or never was: what the client wants is so.

    Raises: PreconditionFailed (412) when If-Match names another version
    """
    resource_type, resource_id = request.segments
    wish = Intent(resource_type, resource_id, None, if_match=negotiation.if_match(request.headers.get("if-match")))
    written = await write_in_transaction(server, request, wish)
    return Answer(204, version=written.version or None)

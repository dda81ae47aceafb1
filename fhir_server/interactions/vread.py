"""vread: one version of a resource.

Spec: http://hl7.org/fhir/R4/http.html#vread
"""

from __future__ import annotations

from ecluse.core.errors import NotFound
from fhir_server.http import query
from fhir_server.http.request import Answer, Request
from fhir_server.server import Server
from fhir_server.store import resources

LARGEST_VERSION = 2**31 - 1


async def vread(server: Server, request: Request) -> Answer:
    """200 with that version.

    Raises: BadRequest (400) for a parameter that it does not take, NotFound (404), Gone (410) when the version is a
    deletion
    """
    query.check(request, query.READ)
    resource_type, resource_id, _, version_id = request.segments
    if not version_id.isascii() or not version_id.isdigit() or int(version_id) > LARGEST_VERSION:
        raise NotFound(f"Versions are whole numbers; {resource_type}/{resource_id} has no version {version_id[:20]}.")
    async with server.connection() as conn:
        stored = await resources.version(conn, request.site.number, resource_type, resource_id, int(version_id))
    return Answer(200, stored.body or b"", stored.version, stored.updated)

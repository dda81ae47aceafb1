"""create: a new resource under an id of the server's; with If-None-Exist only when nothing matches.

A search in the address, `POST /Patient?identifier=…`, is no part of R4. Some clients (fhirpy's get_or_create) mean
If-None-Exist by it, and nothing else can be meant: it is read as such, not ignored.
Spec: http://hl7.org/fhir/R4/http.html#create, http://hl7.org/fhir/R4/http.html#ccreate
"""

from __future__ import annotations

from ecluse.core import clock
from ecluse.core.db.pool import Connection
from ecluse.core.errors import BadRequest
from fhir_server.http import negotiation
from fhir_server.http.request import Answer, Request
from fhir_server.interactions.writing import accepted, standing, written_answer
from fhir_server.once import once
from fhir_server.server import Server
from fhir_server.store import conditions, intake
from fhir_server.store.write import Intent, Written, intent, write


async def create(server: Server, request: Request) -> Answer:
    """201 with the new resource's address; 200 when If-None-Exist found it.

    Raises: BadRequest (400) with all that is wrong in the body, PreconditionFailed (412) when several resources match
    """
    negotiation.check_content_type(request.headers)
    (resource_type,) = request.segments
    resource = accepted(request, resource_type, request.body)
    wish = intent(resource, clock.new_id(), new=True)

    async def work(conn: Connection) -> Answer:
        return written_answer(request, await _written(conn, server, request, wish))

    return await once(server, request, work)


def _criteria(request: Request) -> str:
    """What a conditional create looks for, "" for a create without condition.

    Raises: BadRequest (400) when the header is there and empty: whoever sends it wants no duplicates"""
    asked = request.headers.get("if-none-exist")
    if asked is not None and not asked.strip():
        raise BadRequest("If-None-Exist is empty: write a search, identifier=system|value, or leave the header out.")
    return asked or conditions.asked_in(request.query)


async def _written(conn: Connection, server: Server, request: Request, wish: Intent) -> Written:
    """What was written, or the one match that stands already. The lock comes first, so that the search sees other
    winners."""
    criteria = _criteria(request)
    if criteria:
        await conditions.lock_conditions(conn, request.site.number, [(wish.type, criteria)])
        found = await conditions.only_match(conn, request.site, wish.type, criteria)
        if found is not None:
            stands = await standing(conn, request, wish.type, found)
            await intake.note(conn, server.keys, [intake.note_of(request.context, 200, intake.nothing_of([stands]))])
            return stands
    (written,) = await write(conn, server.keys, [wish], request.context)
    return written

"""update: the next version of a resource, or its first one under the client's id; by id, or by what it matches.

Spec: http://hl7.org/fhir/R4/http.html#update, http://hl7.org/fhir/R4/http.html#cond-update
"""

from __future__ import annotations

from ecluse.core.db.pool import Connection
from ecluse.core.errors import BadRequest, Issue
from fhir_server.http import negotiation
from fhir_server.http.request import Answer, Request
from fhir_server.interactions.conditional import until_settled, update_intent, update_target
from fhir_server.interactions.writing import accepted, write_once, written_answer
from fhir_server.once import once
from fhir_server.server import Server
from fhir_server.store.conditions import lock_conditions
from fhir_server.store.write import Written, intent, write


async def update(server: Server, request: Request) -> Answer:
    """200 with the version that stands now, 201 when it is the first one; the same content again makes no version.

    Raises: BadRequest (400) with all that is wrong, PreconditionFailed (412) when If-Match names another version
    """
    negotiation.check_content_type(request.headers)
    resource_type, resource_id = request.segments
    resource = accepted(request, resource_type, request.body)
    check_same_id(resource.get("id"), resource_type, resource_id, resource_type)
    wish = intent(resource, resource_id, if_match=negotiation.version_condition(request.headers))
    return await write_once(server, request, wish, written_answer)


async def conditional_update(server: Server, request: Request) -> Answer:
    """The same, of the one resource that matches; when none does it is created.

    Raises: as `update`; PreconditionFailed (412) also when several match, BadRequest (400) and Conflict (409) when the
    body's id is another one's
    """
    negotiation.check_content_type(request.headers)
    (resource_type,) = request.segments
    resource = accepted(request, resource_type, request.body)
    condition = negotiation.version_condition(request.headers)

    async def work(conn: Connection) -> Answer:
        await lock_conditions(conn, request.site.number, [(resource_type, request.query)])

        async def attempt() -> Written:
            target = await update_target(conn, request.site, resource_type, request.query, resource.get("id"))
            wish = update_intent(resource, target, condition)
            (written,) = await write(conn, server.keys, [wish], request.context)
            return written

        return written_answer(request, await until_settled(attempt))

    return await once(server, request, work)


def check_same_id(given: object, resource_type: str, resource_id: str, expression: str) -> None:
    """Nothing, when the body's id is the address's.

    Raises: BadRequest (400)
    """
    if given != resource_id:
        found = f"id is {given!r}" if given is not None else "the body has no id"
        issue = Issue(
            f"Put the id of the address into the body: {resource_id}.", f"{expression}.id", found, code="value"
        )
        raise BadRequest(issues=[issue])

"""update: the next version of a resource, or its first one under the client's id.

Spec: http://hl7.org/fhir/R4/http.html#update
"""

from __future__ import annotations

from ecluse.core.errors import BadRequest, Issue
from fhir_server.http import negotiation
from fhir_server.http.request import Answer, Request
from fhir_server.interactions.writing import accepted, write_in_transaction, written_answer
from fhir_server.server import Server
from fhir_server.store.write import intent


async def update(server: Server, request: Request) -> Answer:
    """200 with the version that stands now, 201 when it is the first one; the same content again makes no version.

    Raises: BadRequest (400) with all that is wrong, PreconditionFailed (412) when If-Match names another version
    """
    negotiation.check_content_type(request.headers)
    resource_type, resource_id = request.segments
    resource = accepted(request, resource_type, request.body)
    check_same_id(resource.get("id"), resource_type, resource_id, resource_type)
    wish = intent(resource, resource_id, if_match=negotiation.if_match(request.headers.get("if-match")))
    return written_answer(request, await write_in_transaction(server, request, wish))


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

"""delete: resources are gone from reads and searches; their history stays. By id, or by what they match.

Spec: http://hl7.org/fhir/R4/http.html#delete, http://hl7.org/fhir/R4/http.html#3.1.0.7.1
"""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial

from ecluse.core.db.pool import Connection
from fhir_server.http import negotiation
from fhir_server.http.request import KEPT, Answer, Request
from fhir_server.interactions.conditional import delete_intents, until_settled
from fhir_server.interactions.writing import write_once
from fhir_server.once import once
from fhir_server.search.control import LARGEST_PAGE
from fhir_server.search.parse import parse_criteria
from fhir_server.server import Server
from fhir_server.store.conditions import lock_conditions
from fhir_server.store.resources import Site
from fhir_server.store.write import Intent, Written, write
from fhir_server.store.written import last_event


async def delete(server: Server, request: Request) -> Answer:
    """204, also when it is gone already or never was: what the client wants is so; 200 with an OperationOutcome for
    those who prefer one.

    Raises: PreconditionFailed (412) when If-Match names another version
    """
    resource_type, resource_id = request.segments
    wish = Intent(resource_type, resource_id, None, if_match=negotiation.version_condition(request.headers))
    return await write_once(server, request, wish, delete_answer)


async def conditional_delete(server: Server, request: Request) -> Answer:
    """The one resource that matches is deleted, 204 as `delete`; where the server deletes several, all up to `_count`,
    and 200 tells how many.

    Raises: BadRequest (400) without criteria, PreconditionFailed (412) when several match and only one may"""
    (resource_type,) = request.segments
    most = await bound(server, request.site, resource_type, request.query)

    async def work(conn: Connection) -> Answer:
        await lock_conditions(conn, request.site.number, [(resource_type, request.query)])

        async def attempt() -> tuple[list[Written], bool]:
            wishes = await delete_intents(conn, request.site, resource_type, request.query, most)
            return await write(conn, server.keys, wishes[:most], request.context), len(wishes) > (most or 1)

        written, more = await until_settled(attempt)
        if most is None:
            return conditional_answer(request, resource_type, written)
        return _all_deleted(resource_type, written, more=more)

    return await once(server, request, work)


async def bound(server: Server, site: Site, resource_type: str, criteria: str) -> int | None:
    """How many resources a conditional delete may take, None when only one may match.

    Raises: BadRequest (400) when the criteria cannot be read"""
    if server.settings.conditional_delete == "single":
        return None
    query = await server.understood(site, criteria, partial(parse_criteria, resource_type, criteria))
    return query.count if any(name == "_count" for name, _ in query.understood) else LARGEST_PAGE


def _wants_outcome(request: Request) -> bool:
    return negotiation.preferred_return(request.headers) == "OperationOutcome"


def conditional_answer(request: Request, resource_type: str, written: Sequence[Written]) -> Answer:
    """What came of a delete by condition, which found any number of resources."""
    if _wants_outcome(request):
        return _all_deleted(resource_type, written, more=False)
    headers = (KEPT,) if any(one.kept for one in written) else ()
    version = written[0].version if len(written) == 1 else None
    return Answer(204, version=version, headers=headers, event=last_event(written))


def delete_answer(request: Request, written: Written) -> Answer:
    """What came of a delete by id."""
    answer = Answer.information(200, _deleted(written)) if _wants_outcome(request) else Answer(204)
    return answer._replace(
        version=written.version or None, headers=(KEPT,) if written.kept else (), event=written.event
    )


def _deleted(written: Written) -> str:
    name = f"{written.type}/{written.id}"
    if not written.version:
        return f"There never was a {name}; nothing was deleted."
    if written.kept:
        return f"{name} stays as it came live, in version {written.version}; nothing was deleted."
    return f"{name} was deleted {'before' if written.unchanged else 'now'}, in version {written.version}."


def _all_deleted(resource_type: str, written: Sequence[Written], *, more: bool) -> Answer:
    """How many were deleted. more: others match too"""
    rest = " More match: send the request again to delete them too." if more else ""
    kept = sum(one.kept for one in written)
    left = f" {kept} came live and stay." if kept else ""
    answer = Answer.information(200, f"{len(written) - kept} {resource_type} deleted.{left}{rest}")
    return answer._replace(event=last_event(written))

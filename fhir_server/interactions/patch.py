"""patch: a change of the resource that stands, made under its lock; by id, or by what it matches.

Spec: http://hl7.org/fhir/R4/http.html#patch
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from ecluse.core.db.pool import Connection
from ecluse.core.errors import BadRequest, Unprocessable
from ecluse.core.fhir import json
from ecluse.core.fhir.patch.registry import Change, read
from fhir_server.http import negotiation
from fhir_server.http.request import Answer, Request
from fhir_server.interactions.conditional import patch_target, until_settled
from fhir_server.interactions.writing import accepted, write_once, written_answer
from fhir_server.once import once
from fhir_server.server import Server
from fhir_server.store.conditions import lock_conditions
from fhir_server.store.write import Intent, Written, intent, write


async def patch(server: Server, request: Request) -> Answer:
    """200 with the version that stands now; a patch that changes nothing makes no version.

    Raises: NotFound (404) and Gone (410) when there is nothing to patch, BadRequest (400) when the patch cannot be
    read, Unprocessable (422) when it cannot be made or its result is no such resource, PreconditionFailed (412)"""
    resource_type, resource_id = request.segments
    wish = patch_intent(request, resource_type, resource_id, read_patch(request))
    wish = wish._replace(if_match=negotiation.version_condition(request.headers))
    return await write_once(server, request, wish, written_answer)


async def conditional_patch(server: Server, request: Request) -> Answer:
    """The same, of the one resource that matches.

    Raises: as `patch`; NotFound (404) when none matches, PreconditionFailed (412) when several do"""
    (resource_type,) = request.segments
    change = read_patch(request)
    condition = negotiation.version_condition(request.headers)

    async def work(conn: Connection) -> Answer:
        await lock_conditions(conn, request.site.number, [(resource_type, request.query)])

        async def attempt() -> Written:
            target = await patch_target(conn, request.site, resource_type, request.query)
            wish = patch_intent(request, resource_type, target.id, change)
            wish = wish._replace(seen=target.seen, if_match=condition)
            (written,) = await write(conn, server.keys, [wish], request.context)
            return written

        return written_answer(request, await until_settled(attempt))

    return await once(server, request, work)


def patch_intent(request: Request, resource_type: str, resource_id: str, change: Change) -> Intent:
    """The wish to change what stands; the result passes acceptance as any body does."""
    return Intent(resource_type, resource_id, None, change=changing(request, resource_type, resource_id, change))


def changing(
    request: Request, resource_type: str, resource_id: str, change: Change
) -> Callable[[dict[str, Any]], Intent]:
    """From the resource that stands to the intent of its next version.

    Raises: Unprocessable (422) with all that is wrong in the result"""

    def made(resource: dict[str, Any]) -> Intent:
        try:
            patched = accepted(request, resource_type, json.encode(change(resource)))
        except BadRequest as error:
            raise Unprocessable(issues=error.issues) from None
        return intent(patched, resource_id)

    return made


def read_patch(request: Request) -> Change:
    """The change that a body describes.

    Raises: UnsupportedMedia (415), BadRequest (400) with all that is wrong in the patch"""
    media = negotiation.media_type(request.headers)
    negotiation.check_content_type(request.headers, frozenset({media}))
    return read(media, request.body)

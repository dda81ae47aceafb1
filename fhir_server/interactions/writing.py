"""What the writing interactions share: one intent in one transaction, and the answer that tells of it."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import msgspec

from ecluse.core import clock
from ecluse.core.db.pool import Connection
from ecluse.core.errors import Issue, Unprocessable
from ecluse.core.fhir import json
from ecluse.core.fhir.acceptance import accept
from ecluse.core.fhir.outcome import operation_outcome
from ecluse.core.fhir.references import literal_references, may_hold_extensions
from fhir_server.http import negotiation
from fhir_server.http.request import KEPT, Answer, Request
from fhir_server.once import once
from fhir_server.server import Server
from fhir_server.store import live, resources
from fhir_server.store.write import Intent, Written, write


async def write_once(
    server: Server, request: Request, wish: Intent, tell: Callable[[Request, Written], Answer]
) -> Answer:
    """What came of one intent, committed, as `tell` says it."""

    async def work(conn: Connection) -> Answer:
        (written,) = await write(conn, server.keys, [wish], request.context)
        return tell(request, written)

    return await once(server, request, work)


async def standing(conn: Connection, request: Request, resource_type: str, resource_id: str) -> Written:
    """What stands already where a conditional create found its match."""
    stored = await resources.current(conn, request.site.number, resource_type, resource_id)
    kept = request.context.keep_live and bool(await live.keys(conn, [stored.pk]))
    return Written(resource_type, resource_id, stored.version, stored.updated, stored.body, unchanged=True, kept=kept)


def accepted(request: Request, resource_type: str, body: bytes | msgspec.Raw, expression: str = "") -> dict[str, Any]:
    """The resource of a body, references to this site written without its address, as index and consumers know them.

    Raises: BadRequest (400) with all that is wrong, Unprocessable (422) when a reference leads to another site, or when
    the request is validated and the resource does not pass
    """
    resource = accept(resource_type, body, expression or None)
    text = bytes(body)
    _relative(request, resource, text, expression or resource_type)
    if request.validation is not None:
        request.validation.check(resource, expression or resource_type, may_hold_extensions(text))
    return resource


def _relative(request: Request, resource: dict[str, Any], text: bytes, place: str) -> None:
    """Takes this site's address from references."""
    server_url = request.base.removesuffix(f"/sites/{request.site.name}/fhir").removesuffix("/fhir")
    if server_url.encode() not in text:
        return
    for reference in literal_references(resource["resourceType"], resource):
        target = reference["reference"]
        if target.startswith(f"{request.base}/"):
            reference["reference"] = target.removeprefix(f"{request.base}/")
        elif target.startswith((f"{server_url}/fhir/", f"{server_url}/sites/")):
            raise Unprocessable(
                "A reference stays within its site, which is one identity domain; leave it out, or write to that site.",
                expression=place,
                diagnostics=target,
            )


def written_answer(request: Request, written: Written) -> Answer:
    """201 or 200 with the version's address, and the body that Prefer asks for."""
    location = f"{request.base}/{written.type}/{written.id}/_history/{written.version}"
    status = 201 if written.created else 200
    headers = (KEPT,) if written.kept else ()
    body = answer_body(request, written)
    return Answer(status, body, written.version, written.updated, location, headers, event=written.event)


def answer_body(request: Request, written: Written) -> bytes:
    """The resource, nothing, or an OperationOutcome.

    Spec: http://hl7.org/fhir/R4/http.html#return
    """
    wanted = negotiation.preferred_return(request.headers)
    if wanted == "representation":
        return written.body or b""
    if wanted == "minimal":
        return b""
    text = (
        f"{written.type}/{written.id} stands in version {written.version} since {clock.instant_text(written.updated)}."
    )
    return json.encode(operation_outcome([Issue.information(text)]))

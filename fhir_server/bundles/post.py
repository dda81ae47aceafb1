"""What is posted to the base: a batch or a transaction.

Enters: a Bundle. Leaves: a Bundle with one answer an entry, in their order. Stands above the routes: the entries of a
bundle go where any request goes, and a bundle cannot hold another.
Spec: http://hl7.org/fhir/R4/http.html#transaction
"""

from __future__ import annotations

import asyncio
from functools import partial

from ecluse.core.errors import BadRequest, Issue
from ecluse.core.fhir.bundle import BundleFrame, split_bundle
from fhir_server.bundles.batch import batch
from fhir_server.bundles.transaction import transaction
from fhir_server.http import negotiation
from fhir_server.http.request import Answer, Request
from fhir_server.http.routes import dispatch
from fhir_server.once import kept_since, noted
from fhir_server.profiles.loading import loading
from fhir_server.server import Server
from fhir_server.store.answers import KEY, known_answer

LARGE_BYTES = 4 * 1024 * 1024


async def answer(server: Server, request: Request) -> Answer:
    """The answer to any request: a bundle at the base, or one interaction."""
    if request.method == "POST" and not request.segments and not request.across:
        return await post(server, request)
    return await dispatch(server, request)


async def post(server: Server, request: Request) -> Answer:
    """200 with the answers of all entries.

    Raises: BadRequest (400) with all that is wrong, and what a transaction raises"""
    negotiation.check_content_type(request.headers)
    frame = await _split(request.body)
    match frame.type:
        case "transaction":
            request = _with_key(request, frame)
            if KEY in request.headers:
                async with server.connection() as conn:
                    if repeated := await known_answer(conn, request, kept_since(server, request)):
                        return await noted(conn, server, request, repeated)
            return await loading(server, request, partial(transaction, server, request, frame.entries))
        case "batch":
            return await batch(server, request, frame.entries)
        case other:
            text = "Post a Bundle of type transaction or batch here; another one is a resource: POST it to /Bundle."
            raise BadRequest(issues=[Issue(text, "Bundle.type", f"type is {other!r}", code="value")])


async def _split(body: bytes) -> BundleFrame:
    """The bundle split, a very large one beside the event loop."""
    return split_bundle(body) if len(body) < LARGE_BYTES else await asyncio.to_thread(split_bundle, body)


def _with_key(request: Request, frame: BundleFrame) -> Request:
    """The request under the bundle's identifier, when no header says under which key it may come again."""
    if KEY in request.headers or not frame.identifier:
        return request
    return request._replace(headers={**request.headers, KEY: frame.identifier})

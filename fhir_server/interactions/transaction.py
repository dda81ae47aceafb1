"""batch and transaction: many requests in one.

Enters: a Bundle. Leaves: a Bundle with one answer an entry, in their order. A transaction is one database transaction:
all of it or nothing, not even an event. A batch is a row of requests that know nothing of each other.

    1 split     the bundle into entries, each body still as text
    2 accept    every entry, in slices; what is wrong in all of them is told at once
    3 resolve   conditional creates under their locks, conditional references, references between the entries
    4 write     through the one door
    5 read      what the transaction's GET entries ask for

Spec: http://hl7.org/fhir/R4/http.html#transaction
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import msgspec

from ecluse.core import clock
from ecluse.core.errors import BadRequest, EcluseError, Issue
from ecluse.core.fhir import json
from ecluse.core.fhir.bundle import BundleEntry, split_bundle
from fhir_server.http import negotiation
from fhir_server.http.failures import failure
from fhir_server.http.request import FHIR_JSON, Answer, Request
from fhir_server.http.responses import entity_tag
from fhir_server.interactions.plan import Step, plan
from fhir_server.interactions.resolve import resolve
from fhir_server.interactions.writing import standing
from fhir_server.server import Server
from fhir_server.slices import in_slices
from fhir_server.store.answers import KEY, first_answer, keep_answer, known_answer
from fhir_server.store.write import Intent, Written, intent, write

REASONS = {200: "OK", 201: "Created", 204: "No Content"}
RANK = {"DELETE": 0, "POST": 1, "PUT": 2}


async def transaction(server: Server, request: Request) -> Answer:
    """200 with the answers of all entries.

    Raises: BadRequest (400) with all that is wrong in all entries, PreconditionFailed (412) for a condition that
    several match"""
    negotiation.check_content_type(request.headers)
    frame = split_bundle(request.body)
    match frame.type:
        case "transaction":
            async with server.connection() as conn:
                repeated = await known_answer(conn, request)
            return repeated or await _transaction(server, request, await plan(request, frame.entries))
        case "batch":
            return _answer(
                "batch", [await _alone(server, request, entry, index) for index, entry in enumerate(frame.entries)]
            )
        case other:
            text = "Post a Bundle of type transaction or batch here; another one is a resource: POST it to /Bundle."
            raise BadRequest(issues=[Issue(text, "Bundle.type", f"type is {other!r}", code="value")])


def _answer(kind: str, entries: list[dict[str, Any]]) -> Answer:
    bundle: dict[str, Any] = {"resourceType": "Bundle", "type": f"{kind}-response"}
    if entries:
        bundle["entry"] = entries
    return Answer(200, json.encode(bundle))


async def _transaction(server: Server, request: Request, steps: Sequence[Step]) -> Answer:
    async with server.transaction() as conn:
        repeated = await first_answer(conn, request)
        if repeated is not None:
            return repeated
        written = await _written(conn, server, request, steps)
        entries = [await _entry(server.within(conn), request, step, written.get(step.index)) for step in steps]
        return await keep_answer(conn, request, _answer("transaction", entries))


async def _written(conn: Any, server: Server, request: Request, steps: Sequence[Step]) -> dict[int, Written]:
    """Index of entry → what came of it."""
    found = await resolve(conn, request.site.number, steps)
    wanted = sorted((s for s in steps if s.method in RANK and s.index not in found), key=lambda step: RANK[step.method])
    intents = [_intent(step) async for step in in_slices(wanted)]
    outcome = await write(conn, server.keys, intents, request.context)
    written = dict(zip((step.index for step in wanted), outcome, strict=True))
    for index, resource_id in found.items():
        written[index] = await standing(conn, request, steps[index].type, resource_id)
    return written


def _intent(step: Step) -> Intent:
    if step.resource is None:
        return Intent(step.type, step.id, None, if_match=step.if_match)
    return intent(step.resource, step.id, new=step.method == "POST", if_match=step.if_match)


async def _entry(server: Server, request: Request, step: Step, written: Written | None) -> dict[str, Any]:
    """The answer of one entry of a transaction."""
    if written is None:
        return await _alone(server, request, step.entry, step.index)
    status = 204 if written.body is None else 201 if written.created else 200
    response = {"status": f"{status} {REASONS[status]}"}
    if written.version:
        response |= {
            "location": f"{written.type}/{written.id}/_history/{written.version}",
            "etag": entity_tag(written.version),
            "lastModified": clock.instant_text(written.updated),
        }
    entry: dict[str, Any] = {"fullUrl": f"{request.base}/{written.type}/{written.id}"}
    if written.body is not None and negotiation.preferred_return(request.headers) == "representation":
        entry["resource"] = msgspec.Raw(written.body)
    return {**entry, "response": response}


async def _alone(server: Server, request: Request, entry: BundleEntry, index: int) -> dict[str, Any]:
    """The answer of one entry that is a request of its own."""
    from fhir_server.http.routes import dispatch

    try:
        answer = await dispatch(server, _request(request, entry, index))
    except Exception as error:
        answer = failure(_placed(error, index), request.request_id)
    response: dict[str, Any] = {"status": f"{answer.status} {REASONS.get(answer.status, '')}".strip()}
    if answer.status >= 400:
        return {"response": {**response, "outcome": msgspec.Raw(answer.body)}}
    if answer.version is not None:
        response["etag"] = entity_tag(answer.version)
    if answer.updated is not None:
        response["lastModified"] = clock.instant_text(answer.updated)
    if answer.location:
        response["location"] = answer.location.removeprefix(f"{request.base}/")
    return {**({"resource": msgspec.Raw(answer.body)} if answer.body else {}), "response": response}


def _request(request: Request, entry: BundleEntry, index: int) -> Request:
    """The entry as a request: its conditions are headers, its URL is below the site's base."""
    if not entry.method:
        raise BadRequest(
            issues=[
                Issue("Say in request what to do: method and url.", f"Bundle.entry[{index}].request", code="required")
            ]
        )
    if entry.method == "POST" and not entry.url.strip("/"):
        raise BadRequest(
            issues=[
                Issue(
                    "A batch holds no batch; post it by itself.", f"Bundle.entry[{index}].request.url", code="invalid"
                )
            ]
        )
    path, _, query = entry.url.removeprefix(f"{request.base}/").lstrip("/").partition("?")
    headers = {
        name: request.headers[name]
        for name in ("prefer", "x-ecluse-sender", "x-ecluse-lane")
        if name in request.headers
    }
    headers["content-type"] = FHIR_JSON
    if KEY in request.headers:
        headers[KEY] = f"{request.headers[KEY]}#{index}"
    headers |= {
        name: value for name, value in (("if-match", entry.if_match), ("if-none-exist", entry.if_none_exist)) if value
    }
    return request._replace(
        method=entry.method,
        segments=tuple(path.split("/")) if path else (),
        query=query,
        headers=headers,
        body=bytes(entry.resource) if entry.resource is not None else b"",
    )


def _placed(error: Exception, index: int) -> Exception:
    """The same error, told with the entry's place in the bundle."""
    if isinstance(error, EcluseError):
        error.issues = tuple(replace(issue, expression=_place(issue.expression, index)) for issue in error.issues)
    return error


def _place(expression: str, index: int) -> str:
    """`Patient.name[0]` of a resource as `Bundle.entry[3].resource.name[0]`."""
    if expression.startswith("Bundle."):
        return expression
    element = expression.partition(".")[2]
    return f"Bundle.entry[{index}]" + (f".resource.{element}" if element else "")

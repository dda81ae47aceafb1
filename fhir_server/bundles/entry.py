"""An entry of a bundle as a request of its own, and what came of it as an entry of the response.

Enters: the bundle's request and an entry, or an answer. Leaves: a request of the same form as any other, or the entry
that tells the answer; errors are told with the entry's place.
Spec: http://hl7.org/fhir/R4/http.html#transaction-response
"""

from __future__ import annotations

from base64 import b64decode
from dataclasses import replace
from http import HTTPStatus
from typing import Any, NoReturn
from urllib.parse import unquote

import msgspec

from ecluse.core import clock
from ecluse.core.errors import BadRequest, EcluseError, Issue
from ecluse.core.fhir import json
from ecluse.core.fhir.acceptance import accept
from ecluse.core.fhir.bundle import BundleEntry
from ecluse.core.fhir.outcome import operation_outcome
from fhir_server.http import negotiation
from fhir_server.http.request import FHIR_JSON, KEPT, Answer, Request
from fhir_server.http.responses import entity_tag
from fhir_server.store.answers import KEY

PASSED_ON = ("prefer", "x-ecluse-sender", "x-ecluse-lane", "x-ecluse-keep", "traceparent")
READS = ("GET", "HEAD")
KEPT_OUTCOME = operation_outcome(
    [Issue("This came live and stays as it is; nothing was written.", code="business-rule", severity="information")]
)
"""What an entry is told instead of the header `X-Ecluse-Kept: live`."""


def request_of(request: Request, entry: BundleEntry, index: int) -> Request:
    """The entry as a request: its conditions are headers, its URL is below the site's base.

    Raises: BadRequest (400) when it does not say what to do, or would be a bundle in a bundle"""
    check_request(entry, index)
    segments, query = address(request, entry.url, index)
    conditions = {
        "if-match": entry.if_match,
        "if-none-match": entry.if_none_match,
        "if-modified-since": entry.if_modified_since,
        "if-none-exist": entry.if_none_exist,
    }
    headers = {name: request.headers[name] for name in PASSED_ON if name in request.headers}
    headers |= {name: value for name, value in conditions.items() if value}
    media, body = FHIR_JSON, bytes(entry.resource) if entry.resource is not None else b""
    if entry.method == "PATCH":
        media, body = patch_of(entry, index)
    headers |= {"content-type": media, "accept": FHIR_JSON}
    if KEY in request.headers:
        headers[KEY] = f"{request.headers[KEY]}#{index}"
    return request._replace(method=entry.method, segments=segments, query=query, headers=headers, body=body)


def patch_of(entry: BundleEntry, index: int) -> tuple[str, bytes]:
    """Media type and text of the patch that an entry carries: Parameters as they are, or what is in a Binary.

    Raises: BadRequest (400) when it is neither
    Spec: http://hl7.org/fhir/R4/http.html#patch"""
    place = f"Bundle.entry[{index}].resource"
    if entry.resource is None:
        refuse("A PATCH entry carries a patch: Parameters, or a Binary with a JSON Patch.", place, "required")
    carried = accept(None, entry.resource, place)
    if carried["resourceType"] == "Parameters":
        return FHIR_JSON, bytes(entry.resource)
    if carried["resourceType"] != "Binary":
        refuse("A patch in a bundle is Parameters (FHIRPath Patch), or a Binary (JSON Patch, merge patch).", place)
    media: str = carried["contentType"].partition(";")[0].strip().lower()
    return media, b64decode("".join(carried.get("data", "").split()))


def check_request(entry: BundleEntry, index: int) -> None:
    """Nothing, when the entry says what to do and where.

    Raises: BadRequest (400)"""
    if not entry.method:
        refuse("Say in request what to do: method and url.", f"Bundle.entry[{index}].request", "required")
    if entry.method == "POST" and not entry.url.strip("/"):
        text = "A bundle's entries are no bundles to be processed; post each bundle by itself."
        refuse(text, f"Bundle.entry[{index}].request.url")


def address(request: Request, url: str, index: int) -> tuple[tuple[str, ...], str]:
    """Segments below the site's base, and the query.

    Raises: BadRequest (400) for an address elsewhere"""
    if url.isalpha():
        return (url,), ""
    path, _, query = url.removeprefix(request.base).partition("?")
    if "://" in path or path.startswith("urn:"):
        place = f"Bundle.entry[{index}].request.url"
        refuse(f"Write the address relative to {request.base}, as in Patient/123.", place, diagnostics=url[:200])
    return tuple(unquote(part) for part in path.strip("/").split("/")) if path.strip("/") else (), query


def told(entry: Request, answer: Answer) -> dict[str, Any]:
    """The answer to the request that an entry made, as an entry of the response."""
    says: dict[str, Any] = {"status": status(answer.status)}
    if answer.location:
        says["location"] = answer.location.removeprefix(f"{entry.base}/")
    if answer.version is not None:
        says["etag"] = entity_tag(answer.version)
    if answer.updated is not None:
        says["lastModified"] = clock.instant_text(answer.updated)
    if KEPT in answer.headers:
        says["outcome"] = KEPT_OUTCOME
    if not answer.body or entry.method == "HEAD":
        return {"response": says}
    body = msgspec.Raw(answer.body)
    if answer.status >= 400 or _tells_of_write(entry):
        return {"response": {**says, "outcome": body}}
    address = {"fullUrl": f"{entry.base}/{'/'.join(entry.segments)}"} if len(entry.segments) == 2 else {}
    return {**address, "resource": body, "response": says}


def _tells_of_write(entry: Request) -> bool:
    """Whether the body of a successful answer is an OperationOutcome and no resource."""
    return entry.method not in READS and negotiation.preferred_return(entry.headers) == "OperationOutcome"


def response(kind: str, entries: list[dict[str, Any]]) -> bytes:
    """The Bundle that answers a batch or a transaction."""
    bundle: dict[str, Any] = {"resourceType": "Bundle", "type": f"{kind}-response"}
    if entries:
        bundle["entry"] = entries
    return json.encode(bundle)


def status(code: int) -> str:
    """`201 Created`."""
    return f"{code} {HTTPStatus(code).phrase}"


def placed(error: Exception, index: int) -> Exception:
    """The same error, told with the entry's place in the bundle."""
    if isinstance(error, EcluseError):
        error.issues = tuple(replace(issue, expression=_place(issue.expression, index)) for issue in error.issues)
    return error


def _place(expression: str, index: int) -> str:
    """`Patient.name[0]` of a resource as `Bundle.entry[3].resource.name[0]`."""
    if expression.startswith(f"Bundle.entry[{index}]"):
        return expression
    element = expression.partition(".")[2]
    return f"Bundle.entry[{index}]" + (f".resource.{element}" if element else "")


def refuse(text: str, expression: str, code: str = "invalid", diagnostics: str = "") -> NoReturn:
    """Raises: BadRequest (400) with this one issue"""
    raise BadRequest(issues=[Issue(text, expression, diagnostics, code)])

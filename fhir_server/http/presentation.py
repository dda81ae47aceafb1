"""What comes in other formats made JSON, and JSON made what the client wants.

Enters: a request as it came, or an answer as an interaction gave it. Leaves: the same request with a body in FHIR JSON,
which is all that interactions read; the same answer in the client's format. Long texts are converted by a thread, so
that other requests go on.
Spec: http://hl7.org/fhir/R4/http.html#mime-type
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from dataclasses import replace
from typing import TypeVar

import msgspec

from ecluse.core.errors import EcluseError, Issue
from ecluse.core.fhir.xml.reading import judged, lines, to_json
from ecluse.core.fhir.xml.writing import to_xml
from ecluse.core.log import Log
from fhir_server.http import address, binary, failures, negotiation
from fhir_server.http.formats import XML_TYPES, Format
from fhir_server.http.request import FHIR_JSON, Answer, Request

T = TypeVar("T")
log = Log("server")
LONG_BYTES = 100_000
LONGEST_LOCATED_BYTES = 2_000_000
"""Of a larger body no lines are told: finding them would hold up everybody else's requests."""


async def received(request: Request) -> Request:
    """The request with its body in FHIR JSON, when it is in a format that FHIR can be read from.

    Raises: BadRequest (400) with all that is wrong with the XML, UnsupportedMedia (415)
    """
    if request.segments[:1] == ("Binary",) and binary.is_native(request):
        return binary.as_resource(request)
    if request.segments[-1:] == ("_search",):
        return _with_form(request)
    if negotiation.media_type(request.headers) not in XML_TYPES:
        return request
    negotiation.check_content_type(request.headers, XML_TYPES)
    body, noted = request.body, tuple[Issue, ...]()
    if body and request.segments[-1:] == ("$validate",):
        body, noted = await _converted(judged, body)
    elif body:
        body = await _converted(to_json, body)
    headers = {**request.headers, "content-type": FHIR_JSON}
    return request._replace(body=body, headers=headers, source_format="fhir+xml", noted=noted)


def _with_form(request: Request) -> Request:
    """The same search, the parameters of its form in the query. A body that is not there needs no media type."""
    if not request.body and not negotiation.media_type(request.headers):
        return request._replace(headers={**request.headers, "content-type": min(negotiation.FORM)})
    if negotiation.media_type(request.headers) not in negotiation.FORM:
        return request
    address.check(request.body, "form")
    form = request.body.decode()
    return request._replace(query="&".join(part for part in (request.query, form) if part), body=b"")


async def presented(answer: Answer, wanted: Format, request_id: str) -> Answer:
    """The answer in the client's format; what is no FHIR stays as it is. What cannot be converted goes out in JSON: by
    now a write stands, so that its status and version have to be told."""
    if not answer.body or answer.media or wanted.is_plain:
        return answer
    try:
        body = await _converted(_writer(wanted), answer.body)
    except Exception as error:
        log.error("an answer stays JSON", error=failures.place(error), request_id=request_id)
        return answer
    return answer._replace(body=body, media=f"{wanted.media_type}; charset=utf-8")


def _writer(wanted: Format) -> Callable[[bytes], bytes]:
    if wanted.xml:
        return _pretty_xml if wanted.pretty else to_xml
    return _pretty_json if wanted.pretty else bytes


def locate(error: EcluseError, xml: bytes) -> None:
    """Tells each issue with the line of the XML where its place begins."""
    if 0 < len(xml) <= LONGEST_LOCATED_BYTES:
        begins = lines(xml)
        error.issues = tuple(_located(issue, begins) for issue in error.issues)


def _located(issue: Issue, begins: dict[str, int]) -> Issue:
    place = issue.expression
    while place and place not in begins:
        place = place.rpartition(".")[0]
    if not place:
        return issue
    return replace(issue, diagnostics=", ".join(filter(None, (f"line {begins[place]}", issue.diagnostics))))


async def _converted(convert: Callable[[bytes], T], body: bytes) -> T:
    return convert(body) if len(body) < LONG_BYTES else await asyncio.to_thread(convert, body)


def _pretty_json(body: bytes) -> bytes:
    return msgspec.json.format(body, indent=2)


def _pretty_xml(body: bytes) -> bytes:
    return to_xml(body, pretty=True)

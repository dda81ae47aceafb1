"""Binary in its own format: a PDF is sent and got as a PDF.

Enters: a request whose body is the content itself, or the stored resource. Leaves: the resource, or the content with
what keeps a browser from running it. In a bundle a Binary is always a resource.
Spec: http://hl7.org/fhir/R4/binary.html#rest
"""

from __future__ import annotations

import re
from base64 import b64decode, b64encode
from typing import Any

import msgspec

from ecluse.core.errors import UnsupportedMedia
from ecluse.core.fhir import json
from fhir_server.http import negotiation
from fhir_server.http.formats import JSON_TYPES, XML_TYPES, Format
from fhir_server.http.request import FHIR_JSON, Answer, Request

OPAQUE = "application/octet-stream"
INLINE = re.compile(
    r"image/(?:png|jpeg|gif|webp|bmp|tiff)|text/(?:plain|csv)|application/(?:pdf|dicom)|(?:audio|video)/.+"
)
"""What a browser may show in place; anything else, such as HTML or SVG, could hold a program and is saved instead."""

_MEDIA_TYPE = re.compile(r"[!#$%&'*+.^_`|~0-9A-Za-z-]+/[!#$%&'*+.^_`|~0-9A-Za-z-]+(?: *;[\x20-\x7e]*)?")
_HEADER = re.compile(r"[\x21-\x7e]+")
_XML_ROOT = re.compile(rb"(?:\s|<\?.*?\?>|<!--.*?-->)*+<(?:[\w.-]+:)?Binary[\s/>]", re.DOTALL)
_GUARDS = (("X-Content-Type-Options", "nosniff"), ("Content-Security-Policy", "sandbox; default-src 'none'"))


class _Peek(msgspec.Struct):
    resourceType: str = ""


_peek = msgspec.json.Decoder(_Peek)


def has_content(request: Request) -> bool:
    """Whether this address stands for one Binary, which may go over the wire in any format."""
    return request.segments[:1] == ("Binary",) and (_is_write(request) or _is_read(request))


def is_native(request: Request) -> bool:
    """Whether the body is the content of a Binary rather than the resource: so is all that is no Binary itself."""
    if not _is_write(request):
        return False
    media = negotiation.media_type(request.headers)
    if media in JSON_TYPES:
        return not _is_resource(request.body)
    return not (media in XML_TYPES and _XML_ROOT.match(request.body.removeprefix(b"\xef\xbb\xbf")))


def as_resource(request: Request) -> Request:
    """The request to write the Binary that holds this content.

    Raises: UnsupportedMedia (415) when Content-Type names no media type; without one the content is opaque"""
    media = re.sub(r"\s+", " ", request.headers.get("content-type", "")).strip() or OPAQUE
    if not _MEDIA_TYPE.fullmatch(media):
        text = "Content-Type is no media type; write type/subtype, like application/pdf, or leave it out."
        raise UnsupportedMedia(text, diagnostics=f"found {media[:80]!r}")
    resource: dict[str, Any] = {"resourceType": "Binary"}
    if request.segments[1:]:
        resource["id"] = request.segments[1]
    resource["contentType"] = media
    if context := request.headers.get("x-security-context"):
        resource["securityContext"] = {"reference": context}
    if request.body:
        resource["data"] = b64encode(request.body).decode()
    headers = {**request.headers, "content-type": FHIR_JSON}
    return request._replace(body=json.encode(resource), headers=headers, source_format="native")


def as_content(request: Request, answer: Answer, wanted: Format) -> Answer:
    """The content, unless this is no read of a Binary or the client names a format of FHIR."""
    if wanted.named or answer.status != 200 or not (has_content(request) and _is_read(request)):
        return answer
    resource = json.decode(answer.body)
    media = resource.get("contentType", "")
    media = media if _MEDIA_TYPE.fullmatch(media) else OPAQUE
    shown = INLINE.fullmatch(media.partition(";")[0].strip().lower())
    headers = [*answer.headers, *_GUARDS, ("Content-Disposition", "inline" if shown else "attachment")]
    reference = resource.get("securityContext", {}).get("reference", "")
    if _HEADER.fullmatch(reference):
        headers.append(("X-Security-Context", reference))
    return answer._replace(body=b64decode(resource.get("data", "")), media=media, headers=tuple(headers))


def _is_write(request: Request) -> bool:
    return (request.method, len(request.segments)) in (("POST", 1), ("PUT", 2))


def _is_read(request: Request) -> bool:
    shape = request.segments[2:3], len(request.segments)
    return request.method in ("GET", "HEAD") and shape in (((), 2), (("_history",), 4))


def _is_resource(body: bytes) -> bool:
    """Whether JSON is a Binary; broken JSON that says so is one with an error to be told."""
    try:
        return _peek.decode(body).resourceType == "Binary"
    except (msgspec.MsgspecError, RecursionError, UnicodeDecodeError):
        return re.search(rb'"resourceType"\s*:\s*"Binary"', body[:1000]) is not None

"""What the client sends and wants to get: media types, preferences, version conditions.

Enters: headers and query parameters. Leaves: plain values, or the error that names what would be understood.
Spec: http://hl7.org/fhir/R4/http.html#mime-type
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

from ecluse.core.errors import BadRequest, UnsupportedMedia
from fhir_server.http.formats import JSON_TYPES, VERSIONS
from fhir_server.store.write import ANY_VERSION, NO_VERSION

NDJSON_TYPES = frozenset({"application/fhir+ndjson", "application/ndjson", "application/x-ndjson"})
FORM = frozenset({"application/x-www-form-urlencoded"})
PREFERENCES = {
    "return": ("minimal", "representation", "OperationOutcome"),
    "handling": ("strict", "lenient"),
    "respond-async": ("",),
}
"""The preferences that are obeyed, and what each takes. Another value asks for what is not known here, and is ignored
as RFC 7240 wants it: clients in use send `return=presentation`."""

_CHARSET = re.compile(r"""charset\s*=\s*"?([\w-]+)""", re.IGNORECASE)
_VERSION = re.compile(r"""fhirversion\s*=\s*"?([\w.-]+)""", re.IGNORECASE)
_ENTITY_TAG = re.compile(r'(?:W/)?"([1-9][0-9]{0,9})"|([1-9][0-9]{0,9})')


def headers_of(scope: Any) -> dict[str, str]:
    """Headers by their names; the lines of one name are one list, as RFC 9110 reads them."""
    headers = {name.decode("latin-1"): value.decode("latin-1") for name, value in scope["headers"]}
    if len(headers) < len(scope["headers"]):
        lines: dict[str, list[str]] = {}
        for name, value in scope["headers"]:
            lines.setdefault(name.decode("latin-1"), []).append(value.decode("latin-1"))
        headers = {name: ", ".join(values) for name, values in lines.items()}
    return headers


def media_type(headers: Mapping[str, str]) -> str:
    """The media type of the body, without its parameters; "" when none is given."""
    return headers.get("content-type", "").partition(";")[0].strip().lower()


def check_content_type(headers: Mapping[str, str], allowed: frozenset[str] = JSON_TYPES) -> None:
    """Nothing, when the body's media type is one of those allowed, in UTF-8 and of FHIR 4.0.

    Raises: UnsupportedMedia (415)
    """
    given = headers.get("content-type", "")
    if media_type(headers) not in allowed:
        understood = "application/fhir+json or application/fhir+xml" if allowed is JSON_TYPES else sorted(allowed)[0]
        raise UnsupportedMedia(
            f"Send the body as {understood} in Content-Type.", diagnostics=f"Content-Type was {given or 'missing'}"
        )
    if ";" not in given:
        return
    charset, version = _CHARSET.search(given), _VERSION.search(given)
    if charset and charset[1].lower() not in ("utf-8", "utf8", "us-ascii"):
        raise UnsupportedMedia("Send the body in UTF-8.", diagnostics=f"charset was {charset[1]}")
    if version and version[1] not in VERSIONS:
        raise UnsupportedMedia("This server reads FHIR 4.0.", diagnostics=f"fhirVersion was {version[1]}")


def preferred_return(headers: Mapping[str, str]) -> str:
    """`minimal`, `representation` or `OperationOutcome`, as Prefer says; representation when it says nothing."""
    found = preferences(headers).get("return", "")
    return found if found in PREFERENCES["return"] else "representation"


def is_lenient(headers: Mapping[str, str]) -> bool:
    """Whether the client would rather have unknown search parameters ignored."""
    return preferences(headers).get("handling") == "lenient"


def preferences(headers: Mapping[str, str]) -> dict[str, str]:
    """What Prefer names, in lower case, with its value; of a name that stands twice the first. What stands behind a
    semicolon belongs to the preference before it; those who meant a comma are understood.

    Spec: https://www.rfc-editor.org/rfc/rfc7240#section-2"""
    found: dict[str, str] = {}
    for part in headers["prefer"].split(",") if "prefer" in headers else ():
        for position, piece in enumerate(part.split(";")):
            name, _, text = (each.strip() for each in piece.partition("="))
            name, text = name.lower(), text.strip('"')
            if not position or text in PREFERENCES.get(name, ()):
                found.setdefault(name, text)
    return found


def version_condition(headers: Mapping[str, str]) -> int | None:
    """Which version must stand for a write to take place, None when any or none may.

    Raises: BadRequest (400) when If-None-Match asks a write for anything but `*`
    Spec: http://hl7.org/fhir/R4/http.html#concurrency"""
    unless = headers.get("if-none-match")
    if unless is None:
        return if_match(headers.get("if-match"))
    if unless.strip() != "*" or "if-match" in headers:
        raise BadRequest("A write takes If-Match, or If-None-Match: * to create only.", diagnostics=unless[:80])
    return NO_VERSION


def if_match(text: str | None) -> int | None:
    """The version that If-Match names: `W/"3"`; any when it is `*`.

    Raises: BadRequest (400) when it is no version of this server
    """
    if text is None:
        return None
    if text.strip() == "*":
        return ANY_VERSION
    found = _ENTITY_TAG.fullmatch(text.strip())
    if not found:
        raise BadRequest('Write If-Match as the ETag of a read: W/"3".', diagnostics=text[:80])
    return int(found[1] or found[2])

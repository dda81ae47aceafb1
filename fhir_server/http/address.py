"""The address of a request, read strictly.

Enters: what ASGI says of the URL. Leaves: site, segments below its base, and the query; or the error that names what is
wrong with it. Nothing that is not text reaches an interaction.
Spec: http://hl7.org/fhir/R4/http.html#general, https://www.rfc-editor.org/rfc/rfc3986#section-2.1
"""

from __future__ import annotations

import re
from typing import Any
from urllib.parse import unquote_to_bytes

from ecluse.core.errors import BadRequest, NotFound, UriTooLong

ROOTS = ("/fhir/", "/sites/")
"""With what every FHIR address begins."""

LONGEST_URL_BYTES = 60_000
"""A search with a thousand ids fits."""

EVERY_SITE = "*"
_PLAIN = re.compile(rb"[!$&-;=?-~]*+")  # all that a URL has unescaped, with neither % nor "#<>
_BAD_ESCAPE = re.compile(rb"%(?![0-9A-Fa-f]{2})")
_CONTROL = re.compile("[\x00-\x1f\x7f]")
_CONTROL_BUT_SPACE = re.compile("[\x00-\x08\x0b\x0c\x0e-\x1f\x7f]")


def place(scope: Any) -> tuple[str, tuple[str, ...]]:
    """Site and segments below its base.

    Raises: UriTooLong (414), BadRequest (400) for what is no text, NotFound (404) outside of all bases
    """
    raw, query = scope["raw_path"], scope["query_string"]
    if len(raw) + 1 + len(query) > LONGEST_URL_BYTES:
        raise UriTooLong(f"An address has at most {LONGEST_URL_BYTES} bytes; POST a long search to _search instead.")
    check(raw, "path")
    check(query, "query")
    parts = scope["path"].strip("/").split("/")
    if parts[0] == "fhir":
        return "default", tuple(parts[1:])
    if len(parts) >= 3 and parts[0] == "sites" and parts[2] == "fhir":
        return parts[1], tuple(parts[3:])
    raise NotFound("The FHIR base is /fhir, or /sites/{site}/fhir for another site.")


def is_several(site: str) -> bool:
    """Whether the place of a site means several: `*` for all, or names with commas."""
    return site == EVERY_SITE or "," in site


def check(raw: bytes, part: str) -> None:
    """Nothing, when percent-encoding gives text without control characters.

    Raises: BadRequest (400)"""
    if _PLAIN.fullmatch(raw):
        return
    if bad := _BAD_ESCAPE.search(raw):
        advice = f"In the {part}, two hexadecimal digits follow each %: write %25 for % itself."
        raise BadRequest(advice, diagnostics=f"found {raw[bad.start() : bad.start() + 3].decode('ascii', 'replace')}")
    try:
        text = unquote_to_bytes(raw).decode()
    except UnicodeDecodeError as error:
        advice = f"Write the {part} in UTF-8, percent-encoded: é is %C3%A9."
        raise BadRequest(advice, diagnostics=error.reason) from None
    if control := (_CONTROL if part == "path" else _CONTROL_BUT_SPACE).search(text):
        raise BadRequest(f"The {part} takes no control characters.", diagnostics=f"found %{ord(control[0]):02X}")

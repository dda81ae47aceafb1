"""Conditional read: nothing is sent to a client that has it.

Enters: a read and its answer. Leaves: the answer, or 304 with the ETag.
Spec: http://hl7.org/fhir/R4/http.html#cread, https://www.rfc-editor.org/rfc/rfc9110#name-evaluation-of-preconditions
"""

from __future__ import annotations

from datetime import UTC, datetime
from email.utils import parsedate_to_datetime

from ecluse.core.errors import Unprocessable
from ecluse.core.fhir import dates
from fhir_server.http.request import Answer, Request
from fhir_server.http.responses import entity_tag


def fresh(request: Request, answer: Answer) -> Answer:
    """304 when the client's version, or its instant, is that of the answer. If-None-Match wins over If-Modified-Since,
    and an instant that is none says nothing, as RFC 9110 has it."""
    if answer.version is None or answer.updated is None or answer.status != 200:
        return answer
    known = request.headers.get("if-none-match")
    since = request.headers.get("if-modified-since")
    if known is not None:
        held = known.strip() == "*" or entity_tag(answer.version)[2:] in _tags(known)
    else:
        held = since is not None and _stood(answer.updated, since)
    return Answer(304, version=answer.version, updated=answer.updated) if held else answer


def _tags(text: str) -> set[str]:
    """The entity tags of a list, in quotes and compared weakly: W/"3", "3" and 3 are one."""
    return {f'"{part.strip().removeprefix("W/").strip(chr(34))}"' for part in text.split(",")}


def _stood(updated: datetime, text: str) -> bool:
    """Whether the version stood at an HTTP date, whole seconds, or at a FHIR instant, as a bundle's entry has it."""
    try:
        if text[:4].isdigit():
            return updated.replace(microsecond=updated.microsecond // 1000 * 1000) <= dates.bounds(text)[0]
        since = parsedate_to_datetime(text)
    except (ValueError, TypeError, Unprocessable):
        return False
    return updated.replace(microsecond=0) <= (since if since.tzinfo else since.replace(tzinfo=UTC))

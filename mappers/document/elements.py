"""Elements that all kinds of reports have.

Enters: attachments, types, authors of a resource. Leaves: the parts of a Document.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from typing import Any

from mappers.document.reading import read
from mappers.document.record import ELSEWHERE, NO_TEXT, Context, Pointer, Text, Unread

Resource = dict[str, Any]

_BINARY = re.compile(r"Binary/([A-Za-z0-9\-.]{1,64})(?:/_history/[A-Za-z0-9\-.]{1,64})?")


def content(attachment: Resource, context: Context) -> Text | Unread | Pointer:
    """What an Attachment holds or refers to.

    Raises: Unmappable when its data is not base64
    Spec: http://hl7.org/fhir/R4/datatypes.html#Attachment
    """
    if attachment.get("data"):
        return read(attachment["data"], attachment.get("contentType", ""))
    url = attachment.get("url", "")
    for base in context.bases:
        url = url.removeprefix(base)
    found = _BINARY.fullmatch(url)
    return Pointer(found[1]) if found else Unread(ELSEWHERE if url else NO_TEXT)


def codes(concept: Resource | None) -> tuple[str, ...]:
    """The codes of a CodeableConcept, each as `code` and, when it has a system, as `system|code`."""
    told: list[str] = []
    for coding in (concept or {}).get("coding") or []:
        if code := coding.get("code"):
            told.append(code)
            if system := coding.get("system"):
                told.append(f"{system}|{code}")
    return tuple(dict.fromkeys(told))


def display(concept: Resource | None) -> str:
    """A CodeableConcept in words: its text, else the first display of a coding."""
    given: Resource = concept or {}
    displays = (coding.get("display") for coding in given.get("coding") or [])
    return given.get("text") or next(filter(None, displays), "")


def references(found: Iterable[Resource]) -> tuple[str, ...]:
    """The literal references among some, without the names that may stand beside them."""
    return tuple(dict.fromkeys(each["reference"] for each in found if each.get("reference")))

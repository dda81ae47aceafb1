"""FHIR resource → document: which mapper takes which type.

Enters: one decoded resource and a Context. Leaves: a `Document`, the `Part` that a Binary is, or `Excluded`; the same
for the same resource, always.
"""

from __future__ import annotations

from collections.abc import Callable

from mappers.document import composition, diagnostic_report, document_reference
from mappers.document.elements import Resource
from mappers.document.reading import read
from mappers.document.record import NO_TEXT, Context, Document, Excluded, Part, Pointer, Text, Unread

MAPPERS: dict[str, Callable[[Resource, Context], Document | Excluded]] = {
    "Composition": composition.document,
    "DiagnosticReport": diagnostic_report.document,
    "DocumentReference": document_reference.document,
}


def document(resource: Resource, context: Context) -> Document | Excluded:
    """The document that a report is, when at least one of its contents has been read or may still be.

    Raises: Unmappable when a content is not base64
    """
    if "implicitRules" in resource:
        return Excluded("implicitRules")
    if _modified(resource):
        return Excluded("unknown modifierExtension")
    found = MAPPERS[resource["resourceType"]](resource, context)
    if isinstance(found, Excluded) or any(isinstance(part, Text | Pointer) for part in found.contents):
        return found
    reasons = (part.reason for part in found.contents if isinstance(part, Unread))
    return Excluded(next(reasons, NO_TEXT))


def binary(resource: Resource) -> Part:
    """The text of a Binary, or why it has none.

    Raises: Unmappable when its data is not base64
    Spec: http://hl7.org/fhir/R4/binary.html
    """
    return read(resource["data"], resource.get("contentType", "")) if resource.get("data") else Unread(NO_TEXT)


def _modified(resource: Resource) -> bool:
    """Whether any element carries an extension that may change the meaning of the others."""
    ahead: list[object] = [resource]
    while ahead:
        element = ahead.pop()
        if isinstance(element, dict):
            if "modifierExtension" in element:
                return True
            ahead.extend(value for value in element.values() if isinstance(value, dict | list))
        elif isinstance(element, list):
            ahead.extend(value for value in element if isinstance(value, dict | list))
    return False

"""DocumentReference → Document: every content that can be read, or the Binary that holds it."""

from __future__ import annotations

from mappers.document import elements
from mappers.document.elements import Resource
from mappers.document.record import Context, Document, Excluded


def document(resource: Resource, context: Context) -> Document | Excluded:
    """The document that a DocumentReference points to.

    Spec: http://hl7.org/fhir/R4/documentreference.html
    """
    if "entered-in-error" in (resource.get("status"), resource.get("docStatus")):
        return Excluded("entered in error")
    attachments = [content["attachment"] for content in resource.get("content") or [] if content.get("attachment")]
    display = elements.display(resource.get("type"))
    titles = (resource.get("description"), *(attachment.get("title") for attachment in attachments), display)
    return Document(
        title=next(filter(None, titles), ""),
        contents=tuple(elements.content(attachment, context) for attachment in attachments),
        date=_date(resource, attachments),
        codes=elements.codes(resource.get("type")),
        display=display,
        status=resource.get("docStatus") or resource.get("status", ""),
        authors=elements.references(resource.get("author") or []),
    )


def _date(resource: Resource, attachments: list[Resource]) -> str:
    period = (resource.get("context") or {}).get("period") or {}
    created = (attachment.get("creation") for attachment in attachments)
    return next(filter(None, (resource.get("date"), *created, period.get("start"))), "")

"""DocumentReference → note.

Spec: http://hl7.org/fhir/R4/documentreference.html
"""

from __future__ import annotations

from typing import Any

from mappers.warehouse import dates, note, references
from mappers.warehouse.record import NO_DATE, NO_PATIENT, Context, Excluded, Mapped, refused

CURRENT = ("current",)
DONE = ("final", "amended")


def rows(resource: dict[str, Any], context: Context) -> Mapped | Excluded:
    """One note for the current version of a finished document."""
    if no := refused(resource, CURRENT):
        return no
    if resource.get("docStatus") and (no := refused(resource, DONE, "docStatus")):
        return no
    patient = references.patient(resource.get("subject"), context)
    if patient is None:
        return Excluded(NO_PATIENT)
    about = resource.get("context") or {}
    attachments = [each.get("attachment") or {} for each in resource.get("content") or ()]
    created = (dates.point(each.get("creation")) for each in attachments)
    found = dates.point(resource.get("date")) or next(filter(None, created), None) or dates.period(about.get("period"))
    if found is None:
        return Excluded(NO_DATE)
    text = note.attached(attachments) if context.note_text else ""
    made = note.note(
        found.start, resource.get("type"), text, references.provider(resource.get("author") or (), context)
    )
    visit = references.first(about.get("encounter") or (), ("Encounter",), context)
    return Mapped((made,), patient, visit.id if visit else None)

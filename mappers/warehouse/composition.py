"""Composition → note.

Spec: http://hl7.org/fhir/R4/composition.html
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from mappers.document import html
from mappers.warehouse import dates, note, references
from mappers.warehouse.record import NO_DATE, NO_PATIENT, Context, Excluded, Mapped, refused

DONE = ("final", "amended")
_DEPTH = 16


def rows(resource: dict[str, Any], context: Context) -> Mapped | Excluded:
    """One note for all sections."""
    if no := refused(resource, DONE):
        return no
    patient = references.patient(resource.get("subject"), context)
    if patient is None:
        return Excluded(NO_PATIENT)
    found = dates.point(resource.get("date"))
    if found is None:
        return Excluded(NO_DATE)
    text = "\n\n".join(filter(None, _sections(resource))) if context.note_text else ""
    made = note.note(
        found.start, resource.get("type"), text, references.provider(resource.get("author") or (), context)
    )
    return Mapped((made,), patient, references.encounter(resource.get("encounter"), context))


def _sections(holder: dict[str, Any], depth: int = 0) -> Iterator[str]:
    for section in holder.get("section") or ():
        yield section.get("title") or ""
        yield html.text((section.get("text") or {}).get("div") or "")
        if depth < _DEPTH:
            yield from _sections(section, depth + 1)

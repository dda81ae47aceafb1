"""DiagnosticReport → note, when it says something in words; its results are Observations of their own.

Spec: http://hl7.org/fhir/R4/diagnosticreport.html
"""

from __future__ import annotations

from typing import Any

from mappers.warehouse import dates, note, references
from mappers.warehouse.record import NO_DATE, NO_PATIENT, Context, Excluded, Mapped, refused

DONE = ("final", "amended", "corrected", "appended")


def rows(resource: dict[str, Any], context: Context) -> Mapped | Excluded:
    """One note for presentedForm and conclusion."""
    if no := refused(resource, DONE):
        return no
    patient = references.patient(resource.get("subject"), context)
    if patient is None:
        return Excluded(NO_PATIENT)
    if not resource.get("presentedForm") and not resource.get("conclusion"):
        return Excluded("no text, only results")
    found = dates.interval(resource, "effective") or dates.point(resource.get("issued"))
    if found is None:
        return Excluded(NO_DATE)
    text = ""
    if context.note_text:
        text = "\n\n".join(
            filter(None, (note.attached(resource.get("presentedForm") or ()), resource.get("conclusion")))
        )
    people = [*(resource.get("resultsInterpreter") or ()), *(resource.get("performer") or ())]
    made = note.note(found.start, resource.get("code"), text, references.provider(people, context))
    return Mapped((made,), patient, references.encounter(resource.get("encounter"), context))

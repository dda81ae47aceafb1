"""MedicationStatement → drug_exposure, patient-reported when the patient or a relative said so.

Spec: http://hl7.org/fhir/R4/medicationstatement.html
"""

from __future__ import annotations

from typing import Any

from mappers.warehouse import concepts, dates, medication, references
from mappers.warehouse.record import NO_DATE, NO_PATIENT, Context, Excluded, Mapped, refused

TAKEN = ("active", "completed")
PATIENTS = frozenset({"Patient", "RelatedPerson"})


def rows(resource: dict[str, Any], context: Context) -> Mapped | Excluded:
    """One exposure; without effective[x] it stands on the day it was asserted."""
    if no := refused(resource, TAKEN):
        return no
    patient = references.patient(resource.get("subject"), context)
    if patient is None:
        return Excluded(NO_PATIENT)
    found = dates.interval(resource, "effective") or dates.point(resource.get("dateAsserted"))
    if found is None:
        return Excluded(NO_DATE)
    source = references.target(resource.get("informationSource"), context)
    kind = concepts.PATIENT_REPORTED if source and source.type in PATIENTS else concepts.EHR
    provider = references.provider([resource.get("informationSource")], context)
    dosage = medication.first(resource.get("dosage"))
    made, losses = medication.exposure(
        resource, found, kind, dosage, context, provider=provider, quantity=medication.dose(dosage)
    )
    return Mapped((made,), patient, references.encounter(resource.get("context"), context), losses)

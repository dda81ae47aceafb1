"""MedicationAdministration → drug_exposure of type administration.

Spec: http://hl7.org/fhir/R4/medicationadministration.html
"""

from __future__ import annotations

from typing import Any

from mappers.warehouse import concepts, dates, medication, references
from mappers.warehouse.record import NO_DATE, NO_PATIENT, Context, Excluded, Mapped, refused

DONE = ("completed",)


def rows(resource: dict[str, Any], context: Context) -> Mapped | Excluded:
    """One administration with its dose."""
    if no := refused(resource, DONE):
        return no
    patient = references.patient(resource.get("subject"), context)
    if patient is None:
        return Excluded(NO_PATIENT)
    found = dates.interval(resource, "effective")
    if found is None:
        return Excluded(NO_DATE)
    dosage = resource.get("dosage") or {}
    provider = references.provider([each.get("actor") for each in resource.get("performer") or ()], context)
    made, losses = medication.exposure(
        resource,
        found,
        concepts.EHR_ADMINISTRATION,
        dosage,
        context,
        provider=provider,
        quantity=medication.dose(dosage),
    )
    return Mapped((made,), patient, references.encounter(resource.get("context"), context), losses)

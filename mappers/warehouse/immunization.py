"""Immunization → drug_exposure. No lot number: it is a text that somebody types.

Spec: http://hl7.org/fhir/R4/immunization.html
"""

from __future__ import annotations

from typing import Any

from mappers.warehouse import coding, concepts, dates, medication, quantity, references
from mappers.warehouse.record import NO_DATE, NO_PATIENT, Context, Excluded, Mapped, refused

DONE = ("completed",)
RECALLED = ("recall",)


def rows(resource: dict[str, Any], context: Context) -> Mapped | Excluded:
    """One vaccination that starts and ends on one day."""
    if no := refused(resource, DONE):
        return no
    patient = references.patient(resource.get("patient"), context)
    if patient is None:
        return Excluded(NO_PATIENT)
    found = dates.point(resource.get("occurrenceDateTime"))
    if found is None:
        return Excluded(NO_DATE)
    given = {"medicationCodeableConcept": resource.get("vaccineCode")}
    dosage = {"route": resource.get("route"), "dose": resource.get("doseQuantity")}
    provider = references.provider([each.get("actor") for each in resource.get("performer") or ()], context)
    made, losses = medication.exposure(
        given,
        found,
        _type(resource),
        dosage,
        context,
        provider=provider,
        quantity=quantity.amount(resource.get("doseQuantity")),
    )
    return Mapped((made,), patient, references.encounter(resource.get("encounter"), context), losses)


def _type(resource: dict[str, Any]) -> int:
    origin = resource.get("reportOrigin")
    if not origin:
        return concepts.EHR_ADMINISTRATION
    return concepts.PATIENT_REPORTED if coding.has(origin, RECALLED) else concepts.EHR

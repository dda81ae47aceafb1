"""MedicationRequest → drug_exposure of type prescription.

Spec: http://hl7.org/fhir/R4/medicationrequest.html
"""

from __future__ import annotations

from typing import Any

from mappers.warehouse import concepts, dates, medication, quantity, references
from mappers.warehouse.dates import Interval
from mappers.warehouse.record import NO_DATE, NO_PATIENT, Context, Excluded, Mapped, refused

ORDERED = ("active", "completed")
ORDERS = ("order", "original-order", "reflex-order", "filler-order", "instance-order")


def rows(resource: dict[str, Any], context: Context) -> Mapped | Excluded:
    """One prescription that was written and not withdrawn."""
    no = refused(resource, ORDERED) or refused(resource, ORDERS, "intent")
    if no:
        return no
    if resource.get("doNotPerform"):
        return Excluded("doNotPerform")
    patient = references.patient(resource.get("subject"), context)
    if patient is None:
        return Excluded(NO_PATIENT)
    dosage = medication.first(resource.get("dosageInstruction"))
    dispense = resource.get("dispenseRequest") or {}
    stated = dates.period(((dosage.get("timing") or {}).get("repeat") or {}).get("boundsPeriod"))
    found = dates.point(resource.get("authoredOn")) or stated or dates.period(dispense.get("validityPeriod"))
    if found is None:
        return Excluded(NO_DATE)
    days = quantity.days(dispense.get("expectedSupplyDuration"))
    made, losses = medication.exposure(
        resource,
        Interval(found.start, (stated.end if stated else None) or dates.supplied(found.start, days)),
        concepts.EHR_PRESCRIPTION,
        dosage,
        context,
        provider=references.provider([resource.get("requester")], context),
        verbatim_end_date=stated.end.day if stated and stated.end else None,
        refills=quantity.integer(dispense.get("numberOfRepeatsAllowed")),
        quantity=quantity.amount(dispense.get("quantity")),
        days_supply=days,
    )
    return Mapped((made,), patient, references.encounter(resource.get("encounter"), context), losses)

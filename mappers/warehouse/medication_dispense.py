"""MedicationDispense → drug_exposure of type dispensing.

Spec: http://hl7.org/fhir/R4/medicationdispense.html
"""

from __future__ import annotations

from typing import Any

from mappers.warehouse import concepts, dates, medication, quantity, references
from mappers.warehouse.dates import Interval
from mappers.warehouse.record import NO_DATE, NO_PATIENT, Context, Excluded, Mapped, refused

DONE = ("completed",)


def rows(resource: dict[str, Any], context: Context) -> Mapped | Excluded:
    """One delivery, which lasts as long as its supply."""
    if no := refused(resource, DONE):
        return no
    patient = references.patient(resource.get("subject"), context)
    if patient is None:
        return Excluded(NO_PATIENT)
    found = dates.point(resource.get("whenHandedOver")) or dates.point(resource.get("whenPrepared"))
    if found is None:
        return Excluded(NO_DATE)
    days = quantity.days(resource.get("daysSupply"))
    made, losses = medication.exposure(
        resource,
        Interval(found.start, dates.supplied(found.start, days)),
        concepts.EHR_DISPENSING,
        medication.first(resource.get("dosageInstruction")),
        context,
        provider=references.provider([each.get("actor") for each in resource.get("performer") or ()], context),
        verbatim_end_date=None,
        quantity=quantity.amount(resource.get("quantity")),
        days_supply=days,
    )
    return Mapped((made,), patient, references.encounter(resource.get("context"), context), losses)

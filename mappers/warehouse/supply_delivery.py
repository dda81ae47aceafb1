"""SupplyDelivery to a patient → device_exposure, unless what was delivered is a medication.

Spec: http://hl7.org/fhir/R4/supplydelivery.html
"""

from __future__ import annotations

from typing import Any

from mappers.warehouse import dates, device, quantity, references
from mappers.warehouse.record import NO_CODE, NO_DATE, NO_PATIENT, Context, Excluded, Mapped, refused

DONE = ("completed",)


def rows(resource: dict[str, Any], context: Context) -> Mapped | Excluded:
    """One exposure with the delivered quantity."""
    if no := refused(resource, DONE):
        return no
    patient = references.patient(resource.get("patient"), context)
    if patient is None:
        return Excluded(NO_PATIENT)
    found = dates.interval(resource, "occurrence")
    if found is None:
        return Excluded(NO_DATE)
    item = resource.get("suppliedItem") or {}
    reference = item.get("itemReference")
    target = references.target(reference, context)
    if target and target.type != "Device":
        return Excluded("not a device")
    if not item.get("itemCodeableConcept") and not reference:
        return Excluded(NO_CODE)
    provider = references.provider([resource.get("supplier")], context)
    count = quantity.integer((item.get("quantity") or {}).get("value"))
    made = device.exposure(
        found.start,
        resource,
        reference,
        context,
        end=found.end,
        provider=provider,
        own_type=item.get("itemCodeableConcept"),
        quantity=count,
    )
    return Mapped((made,), patient)

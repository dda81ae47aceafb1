"""Specimen → specimen.

Spec: http://hl7.org/fhir/R4/specimen.html
"""

from __future__ import annotations

from typing import Any

from mappers.warehouse import coding, concepts, dates, quantity, references
from mappers.warehouse.record import NO_CODE, NO_DATE, NO_PATIENT, TEXT_ONLY, Context, Excluded, Mapped, refused, row

TAKEN = ("available", "unavailable")


def rows(resource: dict[str, Any], context: Context) -> Mapped | Excluded:
    """One specimen on the day it was collected, else received; no status counts as available."""
    if resource.get("status") and (no := refused(resource, TAKEN)):
        return no
    patient = references.patient(resource.get("subject"), context)
    if patient is None:
        return Excluded(NO_PATIENT)
    if not resource.get("type"):
        return Excluded(NO_CODE)
    collection = resource.get("collection") or {}
    found = dates.interval(collection, "collected") or dates.point(resource.get("receivedTime"))
    if found is None:
        return Excluded(NO_DATE)
    code, site = coding.source(resource["type"]), coding.source(collection.get("bodySite"))
    unit = coding.unit(collection.get("quantity"))
    values = {
        "specimen_concept_id": concepts.NONE,
        "specimen_type_concept_id": concepts.EHR,
        "specimen_date": found.start.day,
        "specimen_datetime": found.start.time,
        "quantity": quantity.amount(collection.get("quantity")),
        "unit_concept_id": concepts.NONE if unit else None,
        "anatomic_site_concept_id": concepts.NONE if site else None,
        "specimen_source_value": code,
        "unit_source_value": unit,
        "anatomic_site_source_value": site,
    }
    return Mapped((row("specimen", values),), patient, None, () if code else (TEXT_ONLY,))

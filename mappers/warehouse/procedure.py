"""Procedure → procedure_occurrence; each device it put in, took out or changed → device_exposure.

Spec: http://hl7.org/fhir/R4/procedure.html
"""

from __future__ import annotations

from typing import Any

from mappers.warehouse import coding, concepts, dates, device, references
from mappers.warehouse.record import NO_CODE, NO_DATE, NO_PATIENT, TEXT_ONLY, Context, Excluded, Mapped, refused, row

DONE = ("completed",)


def rows(resource: dict[str, Any], context: Context) -> Mapped | Excluded:
    """One row for the act, one for each focal device."""
    if no := refused(resource, DONE):
        return no
    patient = references.patient(resource.get("subject"), context)
    if patient is None:
        return Excluded(NO_PATIENT)
    if not resource.get("code"):
        return Excluded(NO_CODE)
    found = dates.interval(resource, "performed")
    if found is None:
        return Excluded(NO_DATE)
    code = coding.source(resource["code"])
    provider = references.provider([each.get("actor") for each in resource.get("performer") or ()], context)
    values = {
        "procedure_concept_id": concepts.NONE,
        "procedure_date": found.start.day,
        "procedure_datetime": found.start.time,
        "procedure_end_date": found.end.day if found.end else None,
        "procedure_end_datetime": found.end.time if found.end else None,
        "procedure_type_concept_id": concepts.EHR,
        "procedure_source_value": code,
        "procedure_source_concept_id": concepts.NONE,
    }
    devices = [
        device.exposure(found.start, resource, each.get("manipulated"), context, part=part, provider=provider)
        for part, each in enumerate(resource.get("focalDevice") or (), 1)
    ]
    encounter = references.encounter(resource.get("encounter"), context)
    act = row("procedure_occurrence", values, links=(provider,))
    return Mapped((act, *devices), patient, encounter, () if code else (TEXT_ONLY,))

"""DeviceUseStatement → device_exposure.

Spec: http://hl7.org/fhir/R4/deviceusestatement.html
"""

from __future__ import annotations

from typing import Any

from mappers.warehouse import dates, device, references
from mappers.warehouse.record import NO_DATE, NO_PATIENT, Context, Excluded, Mapped, refused

DONE = ("active", "completed")


def rows(resource: dict[str, Any], context: Context) -> Mapped | Excluded:
    """One exposure, from timing[x] or from the day it was recorded."""
    if no := refused(resource, DONE):
        return no
    patient = references.patient(resource.get("subject"), context)
    if patient is None:
        return Excluded(NO_PATIENT)
    found = (
        dates.interval(resource, "timing")
        or dates.period(resource.get("timingPeriod"))
        or dates.point(resource.get("recordedOn"))
    )
    if found is None:
        return Excluded(NO_DATE)
    provider = references.provider([resource.get("source")], context)
    return Mapped(
        (device.exposure(found.start, resource, resource.get("device"), context, end=found.end, provider=provider),),
        patient,
    )

"""Device → the code that its uses take; the use of one → device_exposure.

A Device tells what it is and whose, not when it was used: it gives no row. No serial number, no UDI: they name one
patient.
Spec: http://hl7.org/fhir/R4/device.html
"""

from __future__ import annotations

from typing import Any

from mappers.warehouse import coding, concepts, references
from mappers.warehouse.dates import Moment
from mappers.warehouse.record import Code, Context, Excluded, Link, Mapped, Row, row


def rows(resource: dict[str, Any], context: Context) -> Mapped | Excluded:
    """The code of the device's type, for the exposures that refer to it."""
    if resource.get("status") == "entered-in-error":
        return Excluded("status entered-in-error")
    code = coding.code(resource.get("type")) or Code("", "")
    return Mapped((), references.patient(resource.get("patient"), context), code=code)


def exposure(
    start: Moment,
    resource: dict[str, Any],
    reference: dict[str, Any] | None,
    context: Context,
    *,
    part: int = 0,
    end: Moment | None = None,
    provider: Link | None = None,
    own_type: dict[str, Any] | None = None,
    quantity: int | None = None,
) -> Row:
    """A device_exposure from `start`; its source code is that of own_type, of the contained or of the referenced
    Device.
    """
    inside = references.contained(resource, reference)
    target = references.first([reference], ("Device",), context)
    values = {
        "device_concept_id": concepts.NONE,
        "device_exposure_start_date": start.day,
        "device_exposure_start_datetime": start.time,
        "device_exposure_end_date": end.day if end else None,
        "device_exposure_end_datetime": end.time if end else None,
        "device_type_concept_id": concepts.EHR,
        "quantity": quantity,
        "device_source_value": coding.source(own_type or (inside or {}).get("type")),
        "device_source_concept_id": concepts.NONE,
    }
    code = Link("device_source_value", *target) if target and not values["device_source_value"] else None
    return row("device_exposure", values, part, (provider, code))

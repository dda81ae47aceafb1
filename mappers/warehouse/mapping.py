"""FHIR resource → OMOP rows: which mapper takes which type.

Enters: one decoded resource and a Context. Leaves: `Mapped` or `Excluded`, the same for the same resource, always.
What all types share is decided here: an element that may change the meaning of all others and that nobody knows
excludes.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from mappers.warehouse import (
    allergy_intolerance,
    composition,
    condition,
    device,
    device_use_statement,
    diagnostic_report,
    document_reference,
    encounter,
    imaging_study,
    immunization,
    location,
    medication,
    medication_administration,
    medication_dispense,
    medication_request,
    medication_statement,
    observation,
    organization,
    patient,
    practitioner,
    practitioner_role,
    procedure,
    specimen,
    supply_delivery,
)
from mappers.warehouse.record import Context, Excluded, Mapped

MAPPERS: dict[str, Callable[[dict[str, Any], Context], Mapped | Excluded]] = {
    "AllergyIntolerance": allergy_intolerance.rows,
    "Composition": composition.rows,
    "Condition": condition.rows,
    "Device": device.rows,
    "DeviceUseStatement": device_use_statement.rows,
    "DiagnosticReport": diagnostic_report.rows,
    "DocumentReference": document_reference.rows,
    "Encounter": encounter.rows,
    "ImagingStudy": imaging_study.rows,
    "Immunization": immunization.rows,
    "Location": location.rows,
    "Medication": medication.rows,
    "MedicationAdministration": medication_administration.rows,
    "MedicationDispense": medication_dispense.rows,
    "MedicationRequest": medication_request.rows,
    "MedicationStatement": medication_statement.rows,
    "Observation": observation.rows,
    "Organization": organization.rows,
    "Patient": patient.rows,
    "Practitioner": practitioner.rows,
    "PractitionerRole": practitioner_role.rows,
    "Procedure": procedure.rows,
    "Specimen": specimen.rows,
    "SupplyDelivery": supply_delivery.rows,
}


def rows(resource: dict[str, Any], context: Context, body: bytes | None = None) -> Mapped | Excluded:
    """What one resource gives in the warehouse.

    body: the JSON that it was decoded from, where it is at hand: most often no modifier can be in it
    Spec: http://hl7.org/fhir/uv/omop, f2o-063 for modifiers
    """
    if "implicitRules" in resource:
        return Excluded("implicitRules")
    if (body is None or _may_be_modified(body)) and _modified(resource):
        return Excluded("unknown modifierExtension")
    return MAPPERS[resource["resourceType"]](resource, context)


def _may_be_modified(body: bytes) -> bool:
    """Whether the name stands in the text, or may stand there in escapes. To look for any escape takes a tenth of the
    time of looking for those of letters."""
    return b"\\" in body or b"modifierExtension" in body


def _modified(element: dict[str, Any]) -> bool:
    if "modifierExtension" in element:
        return True
    for value in element.values():
        if type(value) is dict:
            if _modified(value):
                return True
        elif type(value) is list:
            for item in value:
                if type(item) is dict and _modified(item):
                    return True
    return False

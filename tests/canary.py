"""A patient whose name, address, telephone, INS and IPP stand in every place that FHIR allows.

The resources are made from the definitions themselves: every element that can hold words holds the canary's.
"""

from __future__ import annotations

from typing import Any

from ecluse.core.fhir.definitions.structures import Element, structures

WORDS = {
    "name": "Canarifontaine",
    "given": "Serinette",
    "address": "17 impasse du Canariplumet",
    "telephone": "0199003377",
    "ins": "299999999999934",
    "ipp": "8005551234567",
}
TEXT = " ".join(WORDS.values())
STATUS = {
    "Encounter": "finished",
    "Procedure": "completed",
    "Immunization": "completed",
    "MedicationAdministration": "completed",
    "MedicationDispense": "completed",
    "MedicationRequest": "active",
    "MedicationStatement": "active",
    "DiagnosticReport": "final",
    "Observation": "final",
    "DocumentReference": "current",
    "Composition": "final",
    "DeviceUseStatement": "active",
    "ImagingStudy": "available",
    "Device": "active",
    "Location": "active",
    "Specimen": "available",
}
PLAIN = {
    "boolean": True,
    "integer": 1,
    "positiveInt": 1,
    "unsignedInt": 1,
    "decimal": 1,
    "date": "1956-03-02",
    "dateTime": "2026-01-05T08:00:00+01:00",
    "instant": "2026-01-05T08:00:00+01:00",
    "time": "08:00:00",
    "code": "x",
    "id": "x",
    "uri": "urn:x",
    "url": "urn:x",
    "canonical": "urn:x",
    "oid": "urn:oid:1.2.3",
    "uuid": "urn:uuid:c757873d-ec9a-4326-a141-556f43239520",
    "base64Binary": "eA==",
}
WORDED = {"string": TEXT, "markdown": TEXT, "xhtml": f'<div xmlns="http://www.w3.org/1999/xhtml">{TEXT}</div>'}
DEPTH = 5


def resource(resource_type: str, resource_id: str, patient: str) -> dict[str, Any]:
    """A resource of this type about the canary, with words wherever words may stand."""
    made = _object(resource_type, resource_type, patient, DEPTH)
    made |= {"resourceType": resource_type, "id": resource_id}
    if resource_type in STATUS:
        made["status"] = STATUS[resource_type]
    if resource_type == "Patient":
        made |= {"gender": "female", "birthDate": "1956-03-02"}
        for name in ("deceasedBoolean", "active", "link"):
            made.pop(name, None)
    if resource_type == "MedicationRequest":
        made["intent"] = "order"
    for name in ("verificationStatus", "clinicalStatus"):
        if name in made:
            made[name]["coding"][0]["code"] = "confirmed" if name == "verificationStatus" else "active"
    return made


def _object(kind: str, path: str, patient: str, depth: int) -> dict[str, Any]:
    made: dict[str, Any] = {}
    for element in structures().types[kind]:
        left_out = element.name in ("contained", "modifierExtension", "implicitRules", "language") or depth <= 0
        if left_out and not element.required:
            continue
        name, chosen = _member(element)
        value = _value(chosen, f"{path}.{element.name}", patient, depth - 1)
        if value is not None and value != {}:
            made[name] = [value] if element.many else value
    return made


def _member(element: Element) -> tuple[str, str]:
    """The JSON name and type that holds words, when the element has a choice."""
    offers = element.members()
    return next((offer for offer in offers if offer[1] in ("string", "CodeableConcept", "Reference")), offers[0])


def _value(kind: str, path: str, patient: str, depth: int) -> Any:
    if kind in WORDED:
        return WORDED[kind]
    if kind in PLAIN:
        return PLAIN[kind]
    if kind == "Reference":
        identifier = {"system": "urn:x", "value": WORDS["ipp"]}
        return {"reference": f"Patient/{patient}", "display": TEXT, "identifier": identifier}
    if kind == "Extension":
        return {"url": "urn:x", "valueString": TEXT} if depth > 1 else None
    if kind == "Narrative":
        return {"status": "generated", "div": WORDED["xhtml"]}
    if kind == "Resource" or path.count(".") > DEPTH:
        return None
    return _object(kind, path, patient, depth)

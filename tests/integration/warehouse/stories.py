"""Resources of a small hospital in several versions, which refer to each other in every way the warehouse follows."""

from __future__ import annotations

from typing import Any

Resource = dict[str, Any]
LOINC = "http://loinc.org"
CIM10 = "https://smt.esante.gouv.fr/terminologie-cim-10"


def reference(target: str) -> Resource:
    """A Reference."""
    return {"reference": target}


def concept(code: str, system: str = LOINC) -> Resource:
    """A CodeableConcept."""
    return {"coding": [{"system": system, "code": code}]}


def patient(name: str, **more: Any) -> Resource:
    """A Patient born in 1960."""
    return {"resourceType": "Patient", "id": name, "birthDate": "1960-05-17", "gender": "female", **more}


def encounter(name: str, subject: str, start: str, end: str, **more: Any) -> Resource:
    """A finished inpatient Encounter."""
    return {
        "resourceType": "Encounter",
        "id": name,
        "status": "finished",
        "class": {"system": "http://terminology.hl7.org/CodeSystem/v3-ActCode", "code": "IMP"},
        "subject": reference(subject),
        "period": {"start": start, "end": end},
        **more,
    }


def observation(name: str, subject: str, day: str, **more: Any) -> Resource:
    """A laboratory Observation."""
    return {
        "resourceType": "Observation",
        "id": name,
        "status": "final",
        "category": [concept("laboratory", "http://terminology.hl7.org/CodeSystem/observation-category")],
        "code": concept("718-7"),
        "subject": reference(subject),
        "effectiveDateTime": day,
        "valueQuantity": {"value": 12, "unit": "g/dL", "system": "http://unitsofmeasure.org", "code": "g/dL"},
        **more,
    }


def condition(name: str, subject: str, day: str, **more: Any) -> Resource:
    """A Condition."""
    return {
        "resourceType": "Condition",
        "id": name,
        "code": concept("I21.0", CIM10),
        "subject": reference(subject),
        "onsetDateTime": day,
        **more,
    }


def prescription(name: str, subject: str, day: str, **more: Any) -> Resource:
    """A MedicationRequest for Medication/m."""
    return {
        "resourceType": "MedicationRequest",
        "id": name,
        "status": "active",
        "intent": "order",
        "medicationReference": reference("Medication/m"),
        "subject": reference(subject),
        "authoredOn": day,
        **more,
    }


PRESSURE = [
    {
        "code": concept("8480-6"),
        "valueQuantity": {"value": 120, "code": "mm[Hg]", "system": "http://unitsofmeasure.org"},
    },
    {
        "code": concept("8462-4"),
        "valueQuantity": {"value": 80, "code": "mm[Hg]", "system": "http://unitsofmeasure.org"},
    },
]
DEAD = {"deceasedDateTime": "2026-02-20"}
HOME = {"address": [{"city": "Rennes", "postalCode": "35000", "country": "FR"}]}
P1, P2, E1, E2 = "Patient/p1", "Patient/p2", "Encounter/e1", "Encounter/e2"
STAYS = [
    {"location": reference("Location/l"), "period": {"start": "2026-02-01T08:00:00Z", "end": "2026-02-02T08:00:00Z"}}
]
IN_E1, IN_E2, IN_E3 = ({"encounter": reference(f"Encounter/e{number}")} for number in (1, 2, 3))
MADE_BY = {"performer": [reference("Practitioner/d")]}
WITHDRAWN = {
    "verificationStatus": concept("entered-in-error", "http://terminology.hl7.org/CodeSystem/condition-ver-status")
}

VERSIONS: dict[str, list[Resource | None]] = {
    "Organization/o": [
        {"resourceType": "Organization", "id": "o", "name": "CHU", **{"address": HOME["address"]}},
        {"resourceType": "Organization", "id": "o", "name": "CHU de Rennes"},
        None,
    ],
    "Location/l": [{"resourceType": "Location", "id": "l", "name": "Cardiologie"}, None],
    "Practitioner/d": [{"resourceType": "Practitioner", "id": "d", "gender": "male"}, None],
    "PractitionerRole/r": [
        {
            "resourceType": "PractitionerRole",
            "id": "r",
            "specialty": [concept("SM04", "https://mos.esante.gouv.fr/NOS/TRE_R38")],
            "organization": reference("Organization/o"),
        },
        None,
    ],
    "Medication/m": [
        {
            "resourceType": "Medication",
            "id": "m",
            "code": concept("3400930000000", "https://smt.esante.gouv.fr/terminologie-cip"),
        },
        {
            "resourceType": "Medication",
            "id": "m",
            "code": concept("3400931111111", "https://smt.esante.gouv.fr/terminologie-cip"),
        },
        None,
    ],
    P1: [
        patient("p1", **HOME, managingOrganization=reference("Organization/o")),
        patient("p1", **DEAD, generalPractitioner=[reference("PractitionerRole/r")]),
        patient("p1", deceasedBoolean=True),
        {"resourceType": "Patient", "id": "p1"},
        None,
    ],
    P2: [patient("p2"), None],
    E1: [
        encounter(
            "e1", P1, "2026-02-01T08:00:00Z", "2026-02-10", location=STAYS, serviceProvider=reference("Organization/o")
        ),
        encounter("e1", P1, "2026-02-01T08:00:00Z", "2026-02-11"),
        encounter("e1", P1, "2026-02-01T08:00:00Z", "2026-02-11", status="entered-in-error"),
        encounter("e1", P1, "2026-02-01T08:00:00Z", "2026-02-11", partOf=reference(E2)),
        None,
    ],
    E2: [
        encounter("e2", P1, "2026-02-02", "2026-02-03", partOf=reference(E1), location=[*STAYS, *STAYS]),
        encounter("e2", P1, "2026-02-02", "2026-02-03"),
        encounter("e2", P1, "2026-02-02", "2026-02-03", partOf=reference("Encounter/e4")),
        None,
    ],
    "Encounter/e3": [
        encounter("e3", P1, "2026-02-02", "2026-02-02", partOf=reference(E2)),
        encounter("e3", P2, "2026-02-02", "2026-02-02"),
        None,
    ],
    "Encounter/e4": [encounter("e4", P1, "2026-03-02", "2026-03-03"), None],
    "Observation/1": [
        observation("1", P1, "2026-02-01T09:00:00+01:00", **IN_E1, **MADE_BY),
        observation("1", P1, "2026-01-31T23:30:00-02:00", **IN_E2),
        observation("1", P2, "2026-02-01T09:00:00+01:00"),
        None,
    ],
    "Observation/2": [
        observation("2", P1, "2026-02-02", component=PRESSURE, **IN_E2),
        observation("2", P1, "2026-02-02", component=PRESSURE[1:], **IN_E3),
        observation("2", P1, "2026-02-02", status="entered-in-error"),
    ],
    "Observation/3": [observation("3", P1, "2025-12", **IN_E3, performer=[reference("PractitionerRole/r")]), None],
    "Condition/c": [
        condition("c", P1, "2019", **IN_E1, asserter=reference("Practitioner/d")),
        condition("c", P1, "2019-03-01", **WITHDRAWN),
        condition(
            "c",
            P1,
            "2026-02-01",
            verificationStatus=concept("refuted", "http://terminology.hl7.org/CodeSystem/condition-ver-status"),
        ),
    ],
    "MedicationRequest/q": [
        prescription("q", P1, "2026-02-03", **IN_E2, requester=reference("PractitionerRole/r")),
        prescription("q", P1, "2026-02-03", status="cancelled"),
        None,
    ],
}
"""The versions of each resource, from 1; None is a deletion."""

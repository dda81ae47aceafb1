"""Examples of implementation guides, each with one thing made wrong against its profile, and the finding's place.

A row: package, file, path of the member ("name/0/given"), new value (GONE takes the member away), FHIRPath place, issue
code, the end of the profile's address.
"""

from __future__ import annotations

from typing import Any

from tests.guides import GENOMICS, IPS, MCODE
from tests.unit.core.fhir.mutations import GONE

LOINC, SNOMED, UCUM = "http://loinc.org", "http://snomed.info/sct", "http://unitsofmeasure.org"
OTHER = {"coding": [{"system": LOINC, "code": "11111-1"}]}
GROUP = {"reference": "Group/1"}
PATIENT, CITIZEN, PROBLEM = "Patient-66033", "Patient-eumfh-39-07", "Condition-eumfh-39-07-1"
MINIMAL, SUMMARY, REQUEST = (
    "Composition-composition-minimal",
    "Bundle-bundle-minimal",
    "MedicationRequest-eumfh-39-07-1-request",
)
SIZE, CANCER, JENNY = (
    "Observation-tumor-size-jenny-m",
    "Condition-primary-cancer-condition-jenny-m",
    "Patient-cancer-patient-jenny-m",
)
SEQUENCE, MARKER = "Observation-ATR-insertion-molc", "Observation-tumor-marker-test-er-jenny-m"

Mutation = tuple[str, str, str, Any, str, str, str]

MUTATIONS: list[Mutation] = [
    # missing
    (IPS, PATIENT, "birthDate", GONE, "Patient.birthDate", "required", "Patient-uv-ips"),
    (IPS, PATIENT, "name", GONE, "Patient.name", "required", "Patient-uv-ips"),
    (IPS, PROBLEM, "code", GONE, "Condition.code", "required", "Condition-uv-ips"),
    (IPS, MINIMAL, "section/0/text", GONE, "Composition.section[0].text", "required", "Composition-uv-ips"),
    (IPS, MINIMAL, "subject", GONE, "Composition.subject", "required", "Composition-uv-ips"),
    (IPS, SUMMARY, "identifier", GONE, "Bundle.identifier", "required", "Bundle-uv-ips"),
    (IPS, SUMMARY, "timestamp", GONE, "Bundle.timestamp", "required", "Bundle-uv-ips"),
    (MCODE, JENNY, "gender", GONE, "Patient.gender", "required", "mcode-cancer-patient"),
    (MCODE, JENNY, "name", GONE, "Patient.name", "required", "mcode-cancer-patient"),
    (MCODE, JENNY, "identifier", GONE, "Patient.identifier", "required", "mcode-cancer-patient"),
    (MCODE, JENNY, "identifier/0/system", GONE, "Patient.identifier[0].system", "required", "mcode-cancer-patient"),
    (MCODE, CANCER, "code", GONE, "Condition.code", "required", "mcode-primary-cancer-condition"),
    (MCODE, SIZE, "subject", GONE, "Observation.subject", "required", "mcode-tumor-size"),
    (GENOMICS, SEQUENCE, "category", GONE, "Observation.category", "required", "molecular-consequence"),
    # missing slices
    (IPS, MINIMAL, "section/0", GONE, "Composition.section", "required", "Composition-uv-ips"),
    (IPS, MINIMAL, "section/1/code", OTHER, "Composition.section", "required", "Composition-uv-ips"),
    (IPS, SUMMARY, "entry/1", GONE, "Bundle.entry", "required", "Bundle-uv-ips"),
    (MCODE, SIZE, "component", GONE, "Observation.component", "required", "mcode-tumor-size"),
    (MCODE, SIZE, "component/0/code", OTHER, "Observation.component", "required", "mcode-tumor-size"),
    (MCODE, CANCER, "category", GONE, "Condition.category", "required", "mcode-primary-cancer-condition"),
    (GENOMICS, SEQUENCE, "category/1", GONE, "Observation.category", "required", "molecular-consequence"),
    # inside what is known by its profile
    (
        IPS,
        SUMMARY,
        "entry/1/resource/birthDate",
        GONE,
        "Bundle.entry[1].resource.birthDate",
        "required",
        "Patient-uv-ips",
    ),
    # fixed values and patterns
    (IPS, SUMMARY, "type", "collection", "Bundle.type", "value", "Bundle-uv-ips"),
    (IPS, MINIMAL, "type", OTHER, "Composition.type", "value", "Composition-uv-ips"),
    (MCODE, SIZE, "code", OTHER, "Observation.code", "value", "mcode-tumor-size"),
    (MCODE, SIZE, "code", {"text": "size"}, "Observation.code", "value", "mcode-tumor-size"),
    (GENOMICS, SEQUENCE, "code", OTHER, "Observation.code", "value", "molecular-consequence"),
    # required bindings
    (
        *(MCODE, SIZE, "component/0/valueQuantity/code", "kg"),
        *("Observation.component[0].value", "code-invalid", "mcode-tumor-size"),
    ),
    (
        *(MCODE, SIZE, "component/0/valueQuantity/system", "http://hospital.example/units"),
        *("Observation.component[0].value", "code-invalid", "mcode-tumor-size"),
    ),
    # targets of references
    (IPS, MINIMAL, "subject", GROUP, "Composition.subject", "structure", "Composition-uv-ips"),
    (IPS, PROBLEM, "subject", GROUP, "Condition.subject", "structure", "Condition-uv-ips"),
    (IPS, REQUEST, "subject", GROUP, "MedicationRequest.subject", "structure", "MedicationRequest-uv-ips"),
    # types of choices, elements not allowed, extensions
    (
        *(IPS, CITIZEN, "extension/0/extension/0", {"url": "code", "valueString": "US"}),
        *("Patient.extension[0].extension[0].value", "structure", "patient-citizenship"),
    ),
    (IPS, CITIZEN, "extension/0/valueString", "US", "Patient.extension[0].value", "structure", "patient-citizenship"),
    # invariants
    (IPS, PATIENT, "name/0", {"use": "official"}, "Patient.name[0]", "invariant", "Patient-uv-ips"),
    (IPS, MINIMAL, "section/0/entry", GONE, "Composition.section[0]", "invariant", "Composition-uv-ips"),
    (MCODE, MARKER, "valueCodeableConcept", GONE, "Observation", "invariant", "mcode-tumor-marker-test"),
    (MCODE, JENNY, "name/0", {"text": "Jenny"}, "Patient.name[0]", "invariant", "mcode-cancer-patient"),
]

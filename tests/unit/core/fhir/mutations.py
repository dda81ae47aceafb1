"""Official examples, each with one thing made wrong, and the place and code of the finding.

A row: file, path of the member ("name/0/given"), new value (GONE takes the member away), FHIRPath place, issue code.
"""

from __future__ import annotations

from typing import Any, Final

GONE: Final = object()
PATIENT, PRESSURE, REQUEST = "Patient-example", "Observation-blood-pressure", "MedicationRequest-medrx0301"
BUNDLE, BINARY, STAY, QUESTIONS = "Bundle-bundle-transaction", "Binary-example", "Encounter-f001", "Questionnaire-bb"

Mutation = tuple[str, str, Any, str, str]

MUTATIONS: list[Mutation] = [
    # missing required elements
    (PRESSURE, "status", GONE, "Observation.status", "required"),
    (PRESSURE, "code", GONE, "Observation.code", "required"),
    (PRESSURE, "component/1/code", GONE, "Observation.component[1].code", "required"),
    (REQUEST, "subject", GONE, "MedicationRequest.subject", "required"),
    (REQUEST, "medicationReference", GONE, "MedicationRequest.medication", "required"),
    (REQUEST, "contained/1/agent", GONE, "MedicationRequest.contained[1].agent", "required"),
    (REQUEST, "contained/1/agent/0/who", GONE, "MedicationRequest.contained[1].agent[0].who", "required"),
    (STAY, "class", GONE, "Encounter.class", "required"),
    (BUNDLE, "type", GONE, "Bundle.type", "required"),
    (BUNDLE, "entry/0/request/method", GONE, "Bundle.entry[0].request.method", "required"),
    (PATIENT, "text/div", GONE, "Patient.text.div", "required"),
    (PATIENT, "_birthDate/extension/0/url", GONE, "Patient.birthDate.extension[0].url", "required"),
    (PATIENT, "resourceType", GONE, "resourceType", "required"),
    (REQUEST, "contained/0/resourceType", GONE, "MedicationRequest.contained[0].resourceType", "required"),
    # cardinality
    (PATIENT, "gender", ["male"], "Patient.gender", "structure"),
    (PATIENT, "name", {"family": "Chalmers"}, "Patient.name", "structure"),
    (PATIENT, "name/0/given", "Peter", "Patient.name[0].given", "structure"),
    (PATIENT, "managingOrganization", [{"reference": "Organization/1"}], "Patient.managingOrganization", "structure"),
    (PRESSURE, "code", [{"text": "a"}], "Observation.code", "structure"),
    (BUNDLE, "entry", {"fullUrl": "urn:uuid:61ebe359-bfdc-4613-8bf2-c5e300945f0a"}, "Bundle.entry", "structure"),
    # dates and times
    (PATIENT, "birthDate", "1974-13-25", "Patient.birthDate", "value"),
    (PATIENT, "birthDate", "1975-02-29", "Patient.birthDate", "value"),
    (PATIENT, "birthDate", "1900-02-29", "Patient.birthDate", "value"),
    (PATIENT, "birthDate", "25/12/1974", "Patient.birthDate", "value"),
    (PATIENT, "birthDate", "1974-12-25T10:00:00Z", "Patient.birthDate", "value"),
    (PATIENT, "birthDate", "0000", "Patient.birthDate", "value"),
    (PATIENT, "birthDate", "1974-12-25\n", "Patient.birthDate", "value"),
    (PATIENT, "birthDate", "١٩٧٤", "Patient.birthDate", "value"),
    (PRESSURE, "effectiveDateTime", "2012-09-17T10:00:00", "Observation.effective", "value"),
    (PRESSURE, "effectiveDateTime", "2012-09-17T10:00Z", "Observation.effective", "value"),
    (PRESSURE, "effectiveDateTime", "2012-09-17T24:00:00Z", "Observation.effective", "value"),
    (PRESSURE, "effectiveDateTime", "2012-09-17 10:00:00Z", "Observation.effective", "value"),
    (PRESSURE, "effectiveDateTime", "2012-09-17T10:00:00+15:00", "Observation.effective", "value"),
    (BUNDLE, "meta/lastUpdated", "2014-08-18", "Bundle.meta.lastUpdated", "value"),
    # unknown elements
    (PATIENT, "nmae", [], "Patient.nmae", "structure"),
    (PATIENT, "name/0/familyName", "x", "Patient.name[0].familyName", "structure"),
    (PATIENT, "contact/0/address/0", 1, "Patient.contact[0].address.`0`", "structure"),
    (PATIENT, "_name", [{"id": "a"}], "Patient._name", "structure"),
    (PATIENT, "_id", {"id": "a"}, "Patient._id", "structure"),
    (PATIENT, "fhir_comments", ["x"], "Patient.fhir_comments", "structure"),
    (PRESSURE, "value", 1, "Observation.value", "structure"),
    (PRESSURE, "component/0/valueAddress", {"city": "x"}, "Observation.component[0].valueAddress", "structure"),
    (REQUEST, "contained/0/colour", "red", "MedicationRequest.contained[0].colour", "structure"),
    (BUNDLE, "entry/2/resource/colour", "red", "Bundle.entry[2].resource.colour", "structure"),
    (PATIENT, "text/resourceType", "Narrative", "Patient.text.resourceType", "structure"),
    # two of a choice
    (PATIENT, "deceasedDateTime", "2015-02-14", "Patient.deceased", "structure"),
    (PATIENT, "_deceasedDateTime", {"extension": [{"url": "a"}]}, "Patient.deceased", "structure"),
    (REQUEST, "medicationCodeableConcept", {"text": "aspirin"}, "MedicationRequest.medication", "structure"),
    (PRESSURE, "component/0/valueInteger", 5, "Observation.component[0].value", "structure"),
    (PATIENT, "_birthDate/extension/0/valueString", "x", "Patient.birthDate.extension[0].value", "structure"),
    # wrong types
    (PATIENT, "active", "true", "Patient.active", "value"),
    (PATIENT, "active", 1, "Patient.active", "value"),
    (PATIENT, "gender", True, "Patient.gender", "value"),
    (PATIENT, "name/0/given/1", 7, "Patient.name[0].given[1]", "value"),
    (PATIENT, "name/0/given/1", {"value": "x"}, "Patient.name[0].given[1]", "value"),
    (PATIENT, "name/0", "Peter", "Patient.name[0]", "structure"),
    (PATIENT, "telecom/1/rank", 0, "Patient.telecom[1].rank", "value"),
    (PATIENT, "telecom/1/rank", 1.5, "Patient.telecom[1].rank", "value"),
    (PATIENT, "telecom/1/rank", "1", "Patient.telecom[1].rank", "value"),
    (PATIENT, "telecom/1/rank", 2**31, "Patient.telecom[1].rank", "value"),
    (PATIENT, "multipleBirthInteger", True, "Patient.multipleBirth", "value"),
    (PRESSURE, "component/0/valueQuantity/value", "107", "Observation.component[0].value.value", "value"),
    (PRESSURE, "component/0/valueQuantity/value", False, "Observation.component[0].value.value", "value"),
    (PRESSURE, "status", "final ", "Observation.status", "value"),
    (PRESSURE, "status", "fi  nal", "Observation.status", "value"),
    (PRESSURE, "code/coding/0/system", "http://loinc org", "Observation.code.coding[0].system", "value"),
    (PATIENT, "id", "a b", "Patient.id", "value"),
    (PATIENT, "id", "a" * 65, "Patient.id", "value"),
    (PATIENT, "text/div", "Hello", "Patient.text.div", "value"),
    (BINARY, "data", "JVBERi0xLjUN*", "Binary.data", "value"),
    (BINARY, "data", "JVBER", "Binary.data", "value"),
    (PATIENT, "resourceType", "Patinet", "Patinet.resourceType", "value"),
    (PATIENT, "resourceType", "DomainResource", "DomainResource.resourceType", "value"),
    (PATIENT, "resourceType", 5, "resourceType", "value"),
    (REQUEST, "contained/0", "x", "MedicationRequest.contained[0]", "structure"),
    (BUNDLE, "entry/0/resource", [], "Bundle.entry[0].resource", "structure"),
    (BUNDLE, "entry/0/resource", 1.5, "Bundle.entry[0].resource", "structure"),
    (BUNDLE, "entry/0/resource/gender", 5, "Bundle.entry[0].resource.gender", "value"),
    # empty and null
    (PATIENT, "managingOrganization", {}, "Patient.managingOrganization", "structure"),
    (PATIENT, "contact/0/name", {}, "Patient.contact[0].name", "structure"),
    (PATIENT, "name", [], "Patient.name", "structure"),
    (PATIENT, "name/0/given", [], "Patient.name[0].given", "structure"),
    (PATIENT, "name/0/family", "", "Patient.name[0].family", "value"),
    (PATIENT, "_birthDate", {}, "Patient.birthDate", "structure"),
    (PATIENT, "identifier/0/type", {"id": "only"}, "Patient.identifier[0].type", "invariant"),
    (PATIENT, "gender", None, "Patient.gender", "structure"),
    (PATIENT, "name/0", None, "Patient.name[0]", "structure"),
    (PATIENT, "name/0/given/0", None, "Patient.name[0].given[0]", "structure"),
    (PATIENT, "name/0/_given", [None], "Patient.name[0].given", "structure"),
    (PATIENT, "name/0/_given", [None, {}], "Patient.name[0].given[1]", "structure"),
    (PATIENT, "name/0/_given", {"id": "a"}, "Patient.name[0].given", "structure"),
    (PATIENT, "_birthDate", None, "Patient.birthDate", "structure"),
    (BUNDLE, "entry/0", {}, "Bundle.entry[0]", "structure"),
    (BUNDLE, "entry/0", None, "Bundle.entry[0]", "structure"),
    (BUNDLE, "entry/0/resource", None, "Bundle.entry[0].resource", "structure"),
    # nested contained
    (
        REQUEST,
        "contained/0/contained",
        [{"resourceType": "Basic", "code": {"text": "a"}}],
        "MedicationRequest.contained[0].contained",
        "invariant",
    ),
    # control characters
    (PATIENT, "name/0/family", "Chal\x00mers", "Patient.name[0].family", "value"),
    (PATIENT, "name/0/family", "Chal\x08mers", "Patient.name[0].family", "value"),
    (PATIENT, "text/div", "<div>\x0b</div>", "Patient.text.div", "value"),
    (QUESTIONS, "item/0/item/0/text", "a\x1fb", "Questionnaire.item[0].item[0].text", "value"),
    (PATIENT, "na\x00me", 1, "Patient.`na\\u0000me`", "structure"),
]

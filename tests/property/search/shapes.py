"""The shapes of the resources of a population.

Enters: nothing. Leaves: data: member → how its value is made; `name*` is a list, `name!` is always there, a nested
table is an object, a tuple is a choice of members like `onsetAge` or `onsetPeriod`.
"""

from __future__ import annotations

from random import Random
from typing import Any

from tests.property.search import pools
from tests.property.search.pools import TREE, one, reference

Shape = dict[str, Any]


def either(*choices: tuple[str, Any]) -> tuple[tuple[str, Any], ...]:
    """One member of a choice."""
    return choices


META: Shape = {
    "profile*": one(pools.CANONICALS),
    "source": one(pools.URIS),
    "tag*": pools.coding,
    "security*": pools.coding,
}
VALUES = either(
    ("valueQuantity", pools.quantity),
    ("valueQuantity", pools.quantity),
    ("valueQuantity", pools.quantity),
    ("valueCodeableConcept", pools.concept),
    ("valueCodeableConcept", pools.concept),
    ("valueString", one(pools.TEXTS)),
    ("valueSampledData", pools.sampled_data),
    ("valueDateTime", pools.date_time),
    ("valuePeriod", pools.period),
    ("valueRange", pools.range_),
)
USE_CONTEXT: Shape = {
    "code!": pools.coding,
    "value!": either(
        ("valueQuantity", pools.simple_quantity), ("valueRange", pools.range_), ("valueCodeableConcept", pools.concept)
    ),
}
SHAPES: dict[str, Shape] = {
    "Patient": {
        "active": one((True, False)),
        "identifier*": pools.identifier,
        "name*": pools.human_name,
        "telecom*": pools.contact_point,
        "gender": one(("male", "female", "other", "unknown")),
        "birthDate": pools.date,
        "deceased": either(("deceasedBoolean", one((True, False))), ("deceasedDateTime", pools.date_time)),
        "address*": pools.address,
        "communication*": {"language!": pools.concept},
        "generalPractitioner*": reference("Practitioner", "Organization"),
        "managingOrganization": reference("Organization"),
        "link*": {"other!": reference("Patient"), "type!": one(("refer", "seealso"))},
    },
    "Practitioner": {
        "active": one((True, False)),
        "identifier*": pools.identifier,
        "name*": pools.human_name,
        "telecom*": pools.contact_point,
        "gender": one(("male", "female", "other")),
    },
    "Organization": {
        "active": one((True, False)),
        "identifier*": pools.identifier,
        "type*": pools.concept,
        "name!": one(pools.TEXTS),
        "address*": pools.address,
        "partOf": reference("Organization"),
    },
    "Location": {
        "status": one(("active", "suspended", "inactive")),
        "name": one(pools.TEXTS),
        "type*": pools.concept,
        "address": pools.address,
        "position": {
            "latitude!": one((48.85, -33.87, 0.0, 51.5)),
            "longitude!": one((2.35, 151.2, 0.0, -179.9, 179.9)),
        },
        "managingOrganization": reference("Organization"),
        "partOf": reference("Location"),
    },
    "Encounter": {
        "identifier*": pools.identifier,
        "status!": one(("planned", "in-progress", "finished")),
        "class!": pools.coding,
        "type*": pools.concept,
        "subject": reference("Patient", "Group"),
        "participant*": {"type*": pools.concept, "individual": reference("Practitioner")},
        "period": pools.period,
        "length": pools.age,
        "diagnosis*": {"condition!": reference("Condition")},
        "location*": {"location!": reference("Location"), "period": pools.period},
        "serviceProvider": reference("Organization"),
        "partOf": reference("Encounter"),
    },
    "Condition": {
        "identifier*": pools.identifier,
        "clinicalStatus": pools.concept,
        "category*": pools.concept,
        "severity": pools.concept,
        "code": pools.concept,
        "bodySite*": pools.concept,
        "subject!": reference("Patient", "Group"),
        "encounter": reference("Encounter"),
        "onset": either(
            ("onsetDateTime", pools.date_time),
            ("onsetAge", pools.age),
            ("onsetPeriod", pools.period),
            ("onsetRange", pools.range_),
            ("onsetString", one(pools.TEXTS)),
        ),
        "abatement": either(("abatementAge", pools.age), ("abatementRange", pools.range_)),
        "recordedDate": pools.date_time,
        "asserter": reference("Practitioner", "Patient"),
    },
    "Observation": {
        "identifier*": pools.identifier,
        "basedOn*": reference("ServiceRequest"),
        "status!": one(("final", "amended", "preliminary")),
        "category*": pools.concept,
        "code!": pools.concept,
        "subject": reference("Patient", "Group", "Location"),
        "encounter": reference("Encounter"),
        "effective": either(
            ("effectiveDateTime", pools.date_time),
            ("effectivePeriod", pools.period),
            ("effectiveTiming", pools.timing),
            ("effectiveInstant", pools.instant),
        ),
        "performer*": reference("Practitioner", "Organization"),
        "value": VALUES,
        "method": pools.concept,
        "hasMember*": reference("Observation"),
        "component*": {"code!": pools.concept, "value": VALUES, "dataAbsentReason": pools.concept},
    },
    "DiagnosticReport": {
        "basedOn*": reference("ServiceRequest"),
        "status!": one(("final", "amended")),
        "category*": pools.concept,
        "code!": pools.concept,
        "subject": reference("Patient"),
        "encounter": reference("Encounter"),
        "effective": either(("effectiveDateTime", pools.date_time), ("effectivePeriod", pools.period)),
        "issued": pools.instant,
        "result*": reference("Observation"),
    },
    "MedicationRequest": {
        "status!": one(("active", "completed")),
        "intent!": one(("order", "plan")),
        "medication!": either(
            ("medicationCodeableConcept", pools.concept), ("medicationReference", reference("Medication"))
        ),
        "subject!": reference("Patient"),
        "encounter": reference("Encounter"),
        "authoredOn": pools.date_time,
        "requester": reference("Practitioner", "Patient", "Organization"),
        "dosageInstruction*": {"timing": pools.timing},
    },
    "ServiceRequest": {
        "instantiatesCanonical*": one(pools.CANONICALS),
        "instantiatesUri*": one(pools.URIS),
        "requisition": pools.identifier,
        "status!": one(("active", "completed")),
        "intent!": one(("order", "plan")),
        "code": pools.concept,
        "subject!": reference("Patient", "Location"),
        "occurrence": either(
            ("occurrenceDateTime", pools.date_time),
            ("occurrencePeriod", pools.period),
            ("occurrenceTiming", pools.timing),
        ),
        "authoredOn": pools.date_time,
        "performer*": reference("Practitioner", "Organization", "Patient"),
    },
    "RiskAssessment": {
        "status!": one(("final",)),
        "method": pools.concept,
        "subject!": reference("Patient", "Group"),
        "occurrence": either(("occurrenceDateTime", pools.date_time), ("occurrencePeriod", pools.period)),
        "prediction*": {
            "outcome": pools.concept,
            "probability": either(("probabilityDecimal", pools.number), ("probabilityRange", pools.range_)),
            "qualitativeRisk": pools.concept,
        },
    },
    "MolecularSequence": {
        "coordinateSystem!": one((0, 1)),
        "patient": reference("Patient"),
        "referenceSeq": {
            "chromosome": pools.concept,
            "referenceSeqId": pools.concept,
            "windowStart": one((1, 10, 99, 100, 101)),
            "windowEnd": one((1, 100, 1000)),
        },
        "variant*": {"start": one((1, 10, 100)), "end": one((10, 100, 101))},
    },
    "ChargeItem": {
        "identifier*": pools.identifier,
        "status!": one(("billable",)),
        "code!": pools.concept,
        "subject!": reference("Patient"),
        "quantity": pools.quantity,
        "factorOverride": pools.number,
        "priceOverride": pools.money,
        "occurrence": either(("occurrencePeriod", pools.period), ("occurrenceTiming", pools.timing)),
        "enteredDate": pools.date_time,
    },
    "Group": {
        "type!": one(("person",)),
        "actual!": one((True, False)),
        "code": pools.concept,
        "characteristic*": {
            "code!": pools.concept,
            "value!": either(("valueCodeableConcept", pools.concept), ("valueBoolean", one((True, False)))),
            "exclude!": one((True, False)),
        },
    },
    "List": {
        "status!": one(("current",)),
        "mode!": one(("working",)),
        "title": one(pools.TEXTS),
        "code": pools.concept,
        "subject": reference("Patient"),
        "date": pools.date_time,
        "entry*": {"item!": reference("Patient", "Observation", "Condition", "Encounter")},
    },
    "DocumentReference": {
        "status!": one(("current", "superseded")),
        "type": pools.concept,
        "subject": reference("Patient", "Practitioner"),
        "date": pools.instant,
        "description": one(pools.TEXTS),
        "relatesTo*": {"code!": one(("replaces", "transforms", "signs")), "target!": reference("DocumentReference")},
        "content*!": {"attachment!": {"contentType!": one(("text/plain", "application/pdf")), "url": one(pools.URIS)}},
        "context": {"period": pools.period, "related*": reference("Patient", "Observation")},
    },
    "ValueSet": {
        "url!": lambda random: f"http://sets.test/{random.randrange(10**9)}",
        "version": one(("1", "2")),
        "name": one(("Set_a", "Set_b")),
        "title": one(pools.TEXTS),
        "status!": one(("active", "draft")),
        "date": pools.date_time,
        "description": one(pools.TEXTS),
        "useContext*": USE_CONTEXT,
        "jurisdiction*": pools.concept,
        "compose!": {"include*!": lambda random: included(random), "exclude*": lambda random: listed(random)},
    },
    "Questionnaire": {
        "url": one(pools.DEFINED),
        "version": one(pools.VERSIONS),
        "status!": one(("active", "draft")),
        "title": one(pools.TEXTS),
        "publisher": one(pools.TEXTS),
        "code*": pools.coding,
    },
    "QuestionnaireResponse": {
        "identifier": pools.identifier,
        "questionnaire": one(pools.CANONICALS),
        "status!": one(("completed", "in-progress")),
        "subject": reference("Patient"),
        "authored": pools.date_time,
    },
    "PlanDefinition": {
        "url": one(pools.DEFINED),
        "version": one(pools.VERSIONS),
        "status!": one(("active", "draft")),
        "title": one(pools.TEXTS),
        "relatedArtifact*": {"type!": one(("depends-on", "composed-of")), "resource": one(pools.CANONICALS)},
    },
    "AuditEvent": {
        "type!": pools.coding,
        "subtype*": pools.coding,
        "recorded!": pools.instant,
        "agent*!": {
            "who": reference("Practitioner", "Patient"),
            "requestor!": one((True,)),
            "policy*": one(pools.URIS),
            "network": {"address": one(pools.TEXTS)},
        },
        "source!": {"observer!": reference("Practitioner", "Organization")},
        "entity*": {"what": reference("Patient", "Observation", "List"), "name": one(pools.TEXTS)},
    },
}


def listed(random: Random) -> dict[str, Any]:
    """Some codes of one system."""
    system = random.choice((*pools.SYSTEMS[:3], TREE))
    codes = pools.CONCEPTS if system == TREE else pools.CODES
    return {"system": system, "concept": [{"code": code} for code in sorted(random.sample(codes, 3))]}


def included(random: Random) -> dict[str, Any]:
    """Some codes of a system, all of them, or a branch of its tree."""
    below = {"property": "concept", "op": "is-a", "value": random.choice(pools.CONCEPTS)}
    return random.choice((listed(random), listed(random), {"system": TREE}, {"system": TREE, "filter": [below]}))

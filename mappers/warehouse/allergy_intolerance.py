"""AllergyIntolerance → observation.

Spec: http://hl7.org/fhir/R4/allergyintolerance.html
"""

from __future__ import annotations

from typing import Any

from mappers.warehouse import coding, concepts, dates, references
from mappers.warehouse.record import NO_CODE, NO_DATE, NO_PATIENT, TEXT_ONLY, Context, Excluded, Mapped, row

PATIENTS = frozenset({"Patient", "RelatedPerson"})
NEVER = ("unconfirmed", "refuted", "entered-in-error")


def _substance(resource: dict[str, Any]) -> dict[str, Any] | None:
    return next((each["substance"] for each in resource.get("reaction") or () if each.get("substance")), None)


def rows(resource: dict[str, Any], context: Context) -> Mapped | Excluded:
    """One observation with the substance or the statement as its code, qualified by criticality."""
    told = resource.get("verificationStatus")
    if told and not coding.has(told, ("confirmed",)):
        return Excluded(f"verificationStatus {coding.has(told, NEVER) or 'not known'}")
    patient = references.patient(resource.get("patient"), context)
    if patient is None:
        return Excluded(NO_PATIENT)
    concept = resource.get("code") or _substance(resource)
    if not concept:
        return Excluded(NO_CODE)
    found = dates.interval(resource, "onset") or dates.point(
        resource.get("recordedDate") or resource.get("lastOccurrence")
    )
    if found is None:
        return Excluded(NO_DATE)
    code = coding.code(concept)
    asserter = references.target(resource.get("asserter"), context)
    reported = asserter is not None and asserter.type in PATIENTS
    criticality = resource.get("criticality")
    values = {
        "observation_concept_id": concepts.ALLERGY.get(code, concepts.NONE) if code else concepts.NONE,
        "observation_date": found.start.day,
        "observation_datetime": found.start.time,
        "observation_type_concept_id": concepts.PATIENT_REPORTED if reported else concepts.EHR,
        "observation_source_value": code.code if code else None,
        "observation_source_concept_id": concepts.NONE,
        "qualifier_concept_id": concepts.NONE if criticality else None,
        "qualifier_source_value": criticality if criticality in ("low", "high", "unable-to-assess") else None,
    }
    links = (references.provider([resource.get("asserter"), resource.get("recorder")], context),)
    encounter = references.encounter(resource.get("encounter"), context)
    return Mapped((row("observation", values, links=links),), patient, encounter, () if code else (TEXT_ONLY,))

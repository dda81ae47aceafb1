"""Condition → condition_occurrence; one that is only thought of, or ruled out → observation with that as qualifier.

Spec: http://hl7.org/fhir/R4/condition.html
"""

from __future__ import annotations

from typing import Any

from mappers.warehouse import coding, concepts, dates, references
from mappers.warehouse.dates import Interval
from mappers.warehouse.record import NO_CODE, NO_DATE, NO_PATIENT, TEXT_ONLY, Context, Excluded, Mapped, Row, row

CONFIRMED = "confirmed"
OBSERVED = frozenset({"provisional", "differential", "refuted"})
NEVER = frozenset({"unconfirmed", "entered-in-error"})
PATIENTS = frozenset({"Patient", "RelatedPerson"})


def rows(resource: dict[str, Any], context: Context) -> Mapped | Excluded:
    """One row, by verificationStatus; no verificationStatus counts as confirmed."""
    told = resource.get("verificationStatus")
    status = coding.has(told, (CONFIRMED, *OBSERVED, *NEVER)) or (CONFIRMED if not told else "not known")
    if status in NEVER or status == "not known":
        return Excluded(f"verificationStatus {status}")
    patient = references.patient(resource.get("subject"), context)
    if patient is None:
        return Excluded(NO_PATIENT)
    if not resource.get("code"):
        return Excluded(NO_CODE)
    found = dates.interval(resource, "onset") or dates.point(resource.get("recordedDate"))
    if found is None:
        return Excluded(NO_DATE)
    code = coding.source(resource["code"])
    made = _occurrence if status == CONFIRMED else _observation
    losses = () if code else (TEXT_ONLY,)
    encounter = references.encounter(resource.get("encounter"), context)
    return Mapped((made(resource, context, found, code, status),), patient, encounter, losses)


def _occurrence(resource: dict[str, Any], context: Context, found: Interval, code: str | None, status: str) -> Row:
    end = dates.moment(resource.get("abatementDateTime"), last=True)
    abated = dates.period(resource.get("abatementPeriod"))
    end = end or (abated.end or abated.start if abated else None)
    values = {
        **dates.columns("condition", Interval(found.start, end)),
        "condition_concept_id": concepts.NONE,
        "condition_type_concept_id": _type(resource, context),
        "condition_status_concept_id": concepts.NONE if resource.get("verificationStatus") else None,
        "condition_source_value": code,
        "condition_source_concept_id": concepts.NONE,
        "condition_status_source_value": status if resource.get("verificationStatus") else None,
    }
    return row("condition_occurrence", values, links=(references.provider(_people(resource), context),))


def _observation(resource: dict[str, Any], context: Context, found: Interval, code: str | None, status: str) -> Row:
    values = {
        "observation_concept_id": concepts.NONE,
        "observation_date": found.start.day,
        "observation_datetime": found.start.time,
        "observation_type_concept_id": _type(resource, context),
        "observation_source_value": code,
        "observation_source_concept_id": concepts.NONE,
        "qualifier_concept_id": concepts.NONE,
        "qualifier_source_value": status,
    }
    return row("observation", values, links=(references.provider(_people(resource), context),))


def _people(resource: dict[str, Any]) -> list[dict[str, Any] | None]:
    return [resource.get("asserter"), resource.get("recorder")]


def _type(resource: dict[str, Any], context: Context) -> int:
    asserter = references.target(resource.get("asserter"), context)
    return concepts.PATIENT_REPORTED if asserter and asserter.type in PATIENTS else concepts.EHR

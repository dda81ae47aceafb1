"""Observation → measurement (laboratory, vital signs, numbers without a category) or observation; a row per component.

Spec: http://hl7.org/fhir/R4/observation.html, http://hl7.org/fhir/uv/omop
"""

from __future__ import annotations

from typing import Any, NamedTuple

from mappers.warehouse import coding, concepts, dates, quantity, references
from mappers.warehouse.record import (
    FREE_VALUE,
    NO_CODE,
    NO_DATE,
    NO_PATIENT,
    TEXT_ONLY,
    Code,
    Context,
    Excluded,
    Mapped,
    Own,
    refused,
    row,
)
from mappers.warehouse.value import Value, value

DONE = ("final", "amended", "corrected")
MEASURED = frozenset({"laboratory", "vital-signs"})
CATEGORIES = frozenset({*MEASURED, "social-history", "imaging", "procedure", "survey", "exam", "therapy", "activity"})
PATIENTS = frozenset({"Patient", "RelatedPerson"})


class _Told(NamedTuple):
    """What the observation itself, part 0, or one of its components tells."""

    element: dict[str, Any]
    part: int
    code: Code | None
    value: Value


def rows(resource: dict[str, Any], context: Context) -> Mapped | Excluded:
    """One row for the observation and one for each component that is not absent; component rows point to the first."""
    if no := refused(resource, DONE):
        return no
    patient = references.patient(resource.get("subject"), context)
    if patient is None:
        return Excluded(NO_PATIENT)
    if not resource.get("code"):
        return Excluded(NO_CODE)
    found = dates.interval(resource, "effective") or dates.point(resource.get("issued"))
    if found is None:
        return Excluded(NO_DATE)
    told = _told(resource)
    if not told:
        return Excluded("dataAbsentReason")
    table = _table(resource, told)
    made = _MADE[table]
    kind, provider = _type(resource, context), references.provider(resource.get("performer") or (), context)
    rows = tuple(row(table, made(each, found.start, kind), each.part, (provider,), _own(table, each)) for each in told)
    return Mapped(rows, patient, references.encounter(resource.get("encounter"), context), _losses(told))


def _told(resource: dict[str, Any]) -> list[_Told]:
    """The observation and its components that are not absent; nothing when all of them are."""
    components = [
        _read(each, part)
        for part, each in enumerate(resource.get("component") or (), 1)
        if not each.get("dataAbsentReason")
    ]
    return [] if resource.get("dataAbsentReason") and not components else [_read(resource, 0), *components]


def _read(element: dict[str, Any], part: int) -> _Told:
    return _Told(element, part, coding.code(element.get("code")), value(element))


def _table(resource: dict[str, Any], told: list[_Told]) -> str:
    categories = {each["code"] for each in coding.codings(resource.get("category")) if each.get("code") in CATEGORIES}
    if categories:
        return "measurement" if categories & MEASURED else "observation"
    return "measurement" if any(each.value.number is not None for each in told) else "observation"


def _type(resource: dict[str, Any], context: Context) -> int:
    performers = [references.target(each, context) for each in resource.get("performer") or ()]
    reported = performers and all(each and each.type in PATIENTS for each in performers)
    return concepts.PATIENT_REPORTED if reported else concepts.EHR


def _own(table: str, told: _Told) -> tuple[Own, ...]:
    return (_FIRST[table],) if told.part else ()


def _measurement(told: _Told, start: dates.Moment, kind: int) -> dict[str, Any]:
    code, found = told.code, told.value
    normal: dict[str, Any] = next((each for each in told.element.get("referenceRange") or () if _normal(each)), {})
    return {
        "measurement_date": start.day,
        "measurement_datetime": start.time,
        "measurement_type_concept_id": kind,
        "measurement_concept_id": concepts.MEASUREMENT.get(code, concepts.NONE) if code else concepts.NONE,
        "measurement_source_value": code.code if code else None,
        "measurement_source_concept_id": concepts.NONE,
        "value_as_number": found.number,
        "value_as_concept_id": concepts.NONE if found.coded else None,
        "unit_concept_id": concepts.NONE if found.unit else None,
        "unit_source_value": found.unit,
        "unit_source_concept_id": concepts.NONE if found.unit else None,
        "value_source_value": found.source,
        "operator_concept_id": found.operator,
        "range_low": quantity.amount(normal.get("low")),
        "range_high": quantity.amount(normal.get("high")),
        "meas_event_field_concept_id": concepts.EVENT_FIELD["measurement"] if told.part else None,
    }


def _normal(reference_range: dict[str, Any]) -> bool:
    kind = reference_range.get("type")
    return (kind is None or coding.has(kind, ("normal",)) is not None) and not reference_range.get("appliesTo")


def _observation(told: _Told, start: dates.Moment, kind: int) -> dict[str, Any]:
    code, found = told.code, told.value
    interpretation = coding.source(told.element.get("interpretation"))
    return {
        "observation_date": start.day,
        "observation_datetime": start.time,
        "observation_type_concept_id": kind,
        "observation_concept_id": concepts.NONE,
        "observation_source_value": code.code if code else None,
        "observation_source_concept_id": concepts.NONE,
        "value_as_number": found.number,
        "value_as_concept_id": concepts.NONE if found.coded else None,
        "value_as_string": found.answer,
        "unit_concept_id": concepts.NONE if found.unit else None,
        "unit_source_value": found.unit,
        "value_source_value": found.source,
        "qualifier_source_value": interpretation,
        "qualifier_concept_id": concepts.NONE if interpretation else None,
        "obs_event_field_concept_id": concepts.EVENT_FIELD["observation"] if told.part else None,
    }


_MADE = {"measurement": _measurement, "observation": _observation}
_FIRST = {"measurement": Own("measurement_event_id", 0), "observation": Own("observation_event_id", 0)}


def _losses(told: list[_Told]) -> tuple[str, ...]:
    text_only = (TEXT_ONLY,) if any(each.code is None for each in told) else ()
    return (*text_only, FREE_VALUE) if any(each.value.lost for each in told) else text_only

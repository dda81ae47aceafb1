"""Observation → measurement (laboratory, vital signs, numbers without a category) or observation; a row per component.

Spec: http://hl7.org/fhir/R4/observation.html, http://hl7.org/fhir/uv/omop
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from mappers.warehouse import coding, concepts, dates, quantity, references
from mappers.warehouse.record import (
    FREE_VALUE,
    NO_CODE,
    NO_DATE,
    NO_PATIENT,
    TEXT_ONLY,
    Context,
    Excluded,
    Link,
    Mapped,
    Own,
    Row,
    refused,
    row,
)
from mappers.warehouse.value import Value, value

DONE = ("final", "amended", "corrected")
MEASURED = frozenset({"laboratory", "vital-signs"})
CATEGORIES = frozenset({*MEASURED, "social-history", "imaging", "procedure", "survey", "exam", "therapy", "activity"})
PATIENTS = frozenset({"Patient", "RelatedPerson"})


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
    components = [
        (part, each) for part, each in enumerate(resource.get("component") or (), 1) if not each.get("dataAbsentReason")
    ]
    if resource.get("dataAbsentReason") and not components:
        return Excluded("dataAbsentReason")
    table = _table(resource, components)
    frame = {**_frame(table, found.start), f"{table}_type_concept_id": _type(resource, context)}
    provider = references.provider(resource.get("performer") or (), context)
    made = [_row(table, frame, resource, 0, provider)]
    made += [_row(table, frame, each, part, provider) for part, each in components]
    losses = _losses([resource, *(each for _, each in components)])
    return Mapped(tuple(made), patient, references.encounter(resource.get("encounter"), context), losses)


def _table(resource: dict[str, Any], components: list[tuple[int, dict[str, Any]]]) -> str:
    categories = {each["code"] for each in coding.codings(resource.get("category")) if each.get("code") in CATEGORIES}
    if categories:
        return "measurement" if categories & MEASURED else "observation"
    numbers = (value(each).number for each in (resource, *(component for _, component in components)))
    return "measurement" if any(number is not None for number in numbers) else "observation"


def _type(resource: dict[str, Any], context: Context) -> int:
    performers = [references.target(each, context) for each in resource.get("performer") or ()]
    reported = performers and all(each and each.type in PATIENTS for each in performers)
    return concepts.PATIENT_REPORTED if reported else concepts.EHR


def _frame(table: str, start: dates.Moment) -> dict[str, Any]:
    frame: dict[str, Any] = {f"{table}_date": start.day, f"{table}_datetime": start.time}
    return frame


def _row(table: str, frame: dict[str, Any], element: dict[str, Any], part: int, provider: Link | None) -> Row:
    found = value(element)
    code = coding.code(element.get("code"))
    values = {
        **frame,
        f"{table}_concept_id": concepts.MEASUREMENT.get(code, concepts.NONE)
        if code and table == "measurement"
        else concepts.NONE,
        f"{table}_source_value": code.code if code else None,
        f"{table}_source_concept_id": concepts.NONE,
        "value_as_number": found.number,
        "value_as_concept_id": concepts.NONE if found.coded else None,
        "unit_concept_id": concepts.NONE if found.unit else None,
        "unit_source_value": found.unit,
        "value_source_value": found.source,
        **(_measured if table == "measurement" else _observed)(element, found, part),
    }
    event = "measurement_event_id" if table == "measurement" else "observation_event_id"
    return row(table, values, part, (provider,), (Own(event, 0),) if part else ())


def _measured(element: dict[str, Any], found: Value, part: int) -> dict[str, Any]:
    normal: dict[str, Any] = next((each for each in element.get("referenceRange") or () if _normal(each)), {})
    return {
        "operator_concept_id": found.operator,
        "range_low": quantity.amount(normal.get("low")),
        "range_high": quantity.amount(normal.get("high")),
        "unit_source_concept_id": concepts.NONE if found.unit else None,
        "meas_event_field_concept_id": concepts.EVENT_FIELD["measurement"] if part else None,
    }


def _normal(reference_range: dict[str, Any]) -> bool:
    kind = reference_range.get("type")
    return (kind is None or coding.has(kind, ("normal",)) is not None) and not reference_range.get("appliesTo")


def _observed(element: dict[str, Any], found: Value, part: int) -> dict[str, Any]:
    interpretation = coding.source(element.get("interpretation"))
    return {
        "value_as_string": found.answer,
        "qualifier_source_value": interpretation,
        "qualifier_concept_id": concepts.NONE if interpretation else None,
        "obs_event_field_concept_id": concepts.EVENT_FIELD["observation"] if part else None,
    }


def _losses(elements: Iterable[dict[str, Any]]) -> tuple[str, ...]:
    found = [_loss(each) for each in elements]
    return tuple(loss for loss in (TEXT_ONLY, FREE_VALUE) if any(loss in each for each in found))


def _loss(element: dict[str, Any]) -> tuple[str, ...]:
    text_only = (TEXT_ONLY,) if coding.code(element.get("code")) is None else ()
    return (*text_only, FREE_VALUE) if value(element).lost else text_only

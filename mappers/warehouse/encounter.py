"""Encounter → visit_occurrence, or visit_detail when it is part of another; each stay in a place → visit_detail.

Spec: http://hl7.org/fhir/R4/encounter.html
"""

from __future__ import annotations

from typing import Any

from mappers.warehouse import coding, concepts, dates, references
from mappers.warehouse.dates import Interval, Moment
from mappers.warehouse.record import NO_PATIENT, Context, Excluded, Link, Mapped, Row, refused, row

ENDED = ("finished",)
ADMITTED = ("arrived", "triaged", "in-progress", "onleave")
_RESPONSIBLE = ("ATND", "PPRF", "ADM", "CON", "REF", "DIS")


def rows(resource: dict[str, Any], context: Context) -> Mapped | Excluded:
    """A finished visit, or an inpatient one that still lasts, with its unit stays.

    A part of a visit that was spent in one place is that stay itself.
    """
    if no := refused(resource, (*ENDED, *ADMITTED)):
        return no
    patient = references.patient(resource.get("subject"), context)
    if patient is None:
        return Excluded(NO_PATIENT)
    code = coding.plausible({"system": "v3-ActCode", **(resource.get("class") or {})})
    if resource["status"] in ADMITTED and not _admitted(resource, code.code if code else ""):
        return Excluded(f"status {resource['status']}, not admitted")
    told = dates.period(resource.get("period"))
    if told is None:
        return Excluded("no period")
    whole = _whole(resource, told)
    part_of = references.encounter(resource.get("partOf"), context)
    table = "visit_detail" if part_of else "visit_occurrence"
    main = row(table, _values(table, resource, code, whole), links=_links(resource, part_of is not None, context))
    places = resource.get("location") or ()
    told_apart = enumerate(places, 1) if part_of is None or len(places) > 1 else ()
    stays = [_stay(part, each, code, whole, context) for part, each in told_apart]
    return Mapped((main, *(stay for stay in stays if stay)), patient, part_of)


def _admitted(resource: dict[str, Any], code: str) -> bool:
    return code in concepts.INPATIENT or bool(resource.get("hospitalization"))


def _whole(resource: dict[str, Any], told: Interval) -> Interval:
    """The visit's dates: one that lasts ends, for now, on the day it was last told of, so every load gives the same
    row.
    """
    if resource["status"] in ENDED or told.end:
        return Interval(told.start, told.end or told.start)
    seen = dates.moment((resource.get("meta") or {}).get("lastUpdated"))
    return Interval(
        told.start, max(told.start, Moment(seen.day, None), key=lambda each: each.day) if seen else told.start
    )


def _values(table: str, resource: dict[str, Any], code: Any, whole: Interval) -> dict[str, Any]:
    stem = "visit" if table == "visit_occurrence" else "visit_detail"
    hospital = resource.get("hospitalization") or {}
    origin, destination = (
        coding.source(hospital.get("admitSource")),
        coding.source(hospital.get("dischargeDisposition")),
    )
    gone = concepts.DISCHARGED_TO.get(destination, concepts.NONE) if destination else None
    lasts = resource["status"] in ADMITTED and not (resource.get("period") or {}).get("end")
    return {
        **dates.columns(stem, whole, ended=True),
        **_kind(stem, code.code if code else "", coding.source(resource.get("type"))),
        "admitted_from_concept_id": concepts.ADMITTED_FROM.get(origin, concepts.NONE) if origin else None,
        "admitted_from_source_value": origin,
        "discharged_to_concept_id": concepts.STILL_PATIENT if lasts else gone,
        "discharged_to_source_value": destination,
    }


def _kind(stem: str, code: str, other: str | None = None) -> dict[str, Any]:
    return {
        f"{stem}_concept_id": concepts.VISIT.get(code, concepts.NONE),
        f"{stem}_type_concept_id": concepts.EHR,
        f"{stem}_source_value": code or other,
        f"{stem}_source_concept_id": concepts.NONE,
    }


def _links(resource: dict[str, Any], is_part: bool, context: Context) -> tuple[Link | None, ...]:
    people = sorted(resource.get("participant") or (), key=_responsibility)
    units = [each.get("location") for each in resource.get("location") or ()]
    places = [*units, resource.get("serviceProvider")] if is_part else [resource.get("serviceProvider"), *units]
    return references.provider([each.get("individual") for each in people], context), references.care_site(
        places, context
    )


def _responsibility(participant: dict[str, Any]) -> int:
    role = coding.has(participant.get("type"), _RESPONSIBLE)
    return _RESPONSIBLE.index(role) if role else len(_RESPONSIBLE)


def _stay(part: int, stay: dict[str, Any], code: Any, whole: Interval, context: Context) -> Row | None:
    found = dates.period(stay.get("period"))
    if found is None or stay.get("status") in ("planned", "reserved") or not (stay.get("period") or {}).get("start"):
        return None
    lasting = Interval(found.start, found.end or max(found.start, whole.end or whole.start, key=lambda each: each.day))
    values = {**dates.columns("visit_detail", lasting), **_kind("visit_detail", code.code if code else "")}
    return row("visit_detail", values, part, (references.care_site([stay.get("location")], context),))

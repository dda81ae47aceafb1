"""Patient → person, death, and the commune they live in → location.

No name, address line, telephone or identifier: person_source_value stays NULL, omop_map.id_map tells who it is.
Spec: http://hl7.org/fhir/R4/patient.html
"""

from __future__ import annotations

from typing import Any

from mappers.warehouse import concepts, dates, location, references
from mappers.warehouse.record import Context, Excluded, Mapped, Own, Row, row


def rows(resource: dict[str, Any], context: Context) -> Mapped | Excluded:
    """A person, which needs a year of birth, with a death when its date is known."""
    birth = resource.get("birthDate")
    born = dates.moment(birth)
    if birth is None or born is None:
        return Excluded("no birthDate")
    where = location.place(resource.get("address") or [])
    gender = resource.get("gender")
    values = {
        "gender_concept_id": concepts.GENDER.get(str(gender), concepts.NONE),
        "year_of_birth": born.day.year,
        "month_of_birth": born.day.month if len(birth) > 4 else None,
        "day_of_birth": born.day.day if len(birth) > 7 else None,
        "birth_datetime": born.time,
        "race_concept_id": concepts.NONE,
        "ethnicity_concept_id": concepts.NONE,
        "gender_source_value": gender,
        "gender_source_concept_id": concepts.NONE,
    }
    doctors = resource.get("generalPractitioner") or []
    links = (
        references.provider(doctors, context),
        references.care_site([resource.get("managingOrganization"), *doctors], context),
    )
    person = row("person", values, links=links, own=(Own("location_id", 0),) if where else ())
    death, losses = _death(resource)
    return Mapped(tuple(each for each in (where, person, death) if each), resource["id"], None, losses)


def _death(resource: dict[str, Any]) -> tuple[Row | None, tuple[str, ...]]:
    told = resource.get("deceasedDateTime")
    died = dates.moment(told)
    if died is None:
        return None, ("death without a date",) if told or resource.get("deceasedBoolean") is True else ()
    return row(
        "death", {"death_date": died.day, "death_datetime": died.time, "death_type_concept_id": concepts.EHR}
    ), ()

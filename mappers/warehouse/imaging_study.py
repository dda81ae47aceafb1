"""ImagingStudy → procedure_occurrence. No UID: it names one study of one patient.

Spec: http://hl7.org/fhir/R4/imagingstudy.html
"""

from __future__ import annotations

from typing import Any

from mappers.warehouse import coding, concepts, dates, references
from mappers.warehouse.record import NO_DATE, NO_PATIENT, TEXT_ONLY, Context, Excluded, Mapped, refused, row

DONE = ("available",)


def rows(resource: dict[str, Any], context: Context) -> Mapped | Excluded:
    """One act, under the code of the procedure, else of the modality."""
    if no := refused(resource, DONE):
        return no
    if references.first([resource.get("procedureReference")], ("Procedure",), context):
        return Excluded("its act is a Procedure")
    patient = references.patient(resource.get("subject"), context)
    if patient is None:
        return Excluded(NO_PATIENT)
    series = resource.get("series") or []
    begun = (dates.point(each.get("started")) for each in (resource, *series))
    found = next((each for each in begun if each), None)
    if found is None:
        return Excluded(NO_DATE)
    modalities = [*(resource.get("modality") or ()), *(each["modality"] for each in series if each.get("modality"))]
    modality = coding.source({"coding": modalities})
    code = coding.source(resource.get("procedureCode")) or modality
    values = {
        "procedure_concept_id": concepts.NONE,
        "procedure_date": found.start.day,
        "procedure_datetime": found.start.time,
        "procedure_type_concept_id": concepts.EHR,
        "procedure_source_value": code,
        "procedure_source_concept_id": concepts.NONE,
        "modifier_concept_id": concepts.NONE if modality else None,
        "modifier_source_value": modality,
    }
    people = [
        *(resource.get("interpreter") or ()),
        *(each.get("actor") for one in series for each in one.get("performer") or ()),
    ]
    made = row("procedure_occurrence", values, links=(references.provider(people, context),))
    return Mapped(
        (made,), patient, references.encounter(resource.get("encounter"), context), () if code else (TEXT_ONLY,)
    )

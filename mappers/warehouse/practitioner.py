"""Practitioner → provider, without name or identifier.

Spec: http://hl7.org/fhir/R4/practitioner.html
"""

from __future__ import annotations

from typing import Any

from mappers.warehouse import coding, concepts
from mappers.warehouse.record import Context, Excluded, Mapped, row


def rows(resource: dict[str, Any], context: Context) -> Mapped | Excluded:
    """A provider: gender and the code of a qualification."""
    gender = resource.get("gender")
    specialty = coding.source([each.get("code") or {} for each in resource.get("qualification") or ()])
    values = {
        "specialty_concept_id": concepts.NONE,
        "specialty_source_value": specialty,
        "specialty_source_concept_id": concepts.NONE,
        "gender_concept_id": concepts.GENDER.get(str(gender), concepts.NONE),
        "gender_source_value": gender,
        "gender_source_concept_id": concepts.NONE,
    }
    return Mapped((row("provider", values),))

"""PractitionerRole → provider of its own: one person in two roles is two providers, as OMOP asks for two specialties.

Spec: http://hl7.org/fhir/R4/practitionerrole.html
"""

from __future__ import annotations

from typing import Any

from mappers.warehouse import coding, concepts, references
from mappers.warehouse.record import Context, Excluded, Mapped, row


def rows(resource: dict[str, Any], context: Context) -> Mapped | Excluded:
    """A provider: the code of the specialty or role, linked to the place where the role is played."""
    specialty = coding.source(resource.get("specialty")) or coding.source(resource.get("code"))
    values = {
        "specialty_concept_id": concepts.NONE,
        "specialty_source_value": specialty,
        "specialty_source_concept_id": concepts.NONE,
        "gender_concept_id": concepts.NONE,
    }
    places = [resource.get("organization"), *(resource.get("location") or ())]
    return Mapped((row("provider", values, links=(references.care_site(places, context),)),))

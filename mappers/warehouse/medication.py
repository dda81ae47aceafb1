"""Medication → the code that prescriptions, administrations and dispenses take; and what these four share.

Spec: http://hl7.org/fhir/R4/medication.html
"""

from __future__ import annotations

from typing import Any

from mappers.warehouse import coding, concepts, dates, quantity, references
from mappers.warehouse.record import TEXT_ONLY, Code, Context, Excluded, Link, Mapped, Row, row


def rows(resource: dict[str, Any], context: Context) -> Mapped | Excluded:
    """The code of the product, for the exposures that refer to it."""
    if resource.get("status") == "entered-in-error":
        return Excluded("status entered-in-error")
    return Mapped((), code=coding.code(resource.get("code")) or Code("", ""))


def exposure(
    resource: dict[str, Any],
    found: dates.Interval,
    kind: int,
    dosage: dict[str, Any],
    context: Context,
    *,
    provider: Link | None,
    **more: Any,
) -> tuple[Row, tuple[str, ...]]:
    """A drug_exposure and its losses. kind: type concept; dosage: route and dose unit; a missing end is the start.

    The source code is that of medicationCodeableConcept, of the contained Medication, or of the Medication referred to.
    """
    reference = resource.get("medicationReference")
    inside = references.contained(resource, reference) or {}
    code = coding.source(resource.get("medicationCodeableConcept") or inside.get("code"))
    target = references.first([reference], ("Medication",), context)
    route = coding.source(dosage.get("route"))
    values = {
        **dates.columns("drug_exposure", found, ended=True),
        "drug_concept_id": concepts.NONE,
        "verbatim_end_date": found.end.day if found.end else None,
        "drug_type_concept_id": kind,
        "route_concept_id": concepts.NONE if route else None,
        "drug_source_value": code,
        "drug_source_concept_id": concepts.NONE,
        "route_source_value": route,
        "dose_unit_source_value": coding.unit(_dose(dosage)),
        **more,
    }
    link = Link("drug_source_value", *target) if target and not code else None
    return row("drug_exposure", values, links=(provider, link)), () if code or link else (TEXT_ONLY,)


def dose(dosage: dict[str, Any]) -> Any:
    """The amount of one dose."""
    return quantity.amount(_dose(dosage))


def _dose(dosage: dict[str, Any]) -> dict[str, Any] | None:
    rates = dosage.get("doseAndRate") or ()
    single: dict[str, Any] | None = dosage.get("dose") or next(
        (each["doseQuantity"] for each in rates if "doseQuantity" in each), None
    )
    return single


def first(dosages: list[dict[str, Any]] | None) -> dict[str, Any]:
    """The first dosage, which stands for all."""
    return dosages[0] if dosages else {}

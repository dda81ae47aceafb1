"""Codings, quantities and identifiers in the spelling of FR Core and of the French terminology server (SMT).

Enters: codes of the tables in `data/`. Leaves: FHIR elements as plain dicts.
Spec: https://hl7.fr/ig/fhir/core · https://smt.esante.gouv.fr
"""

from __future__ import annotations

from decimal import Decimal
from functools import cache
from typing import Any

from ecluse.cli.synth.story import table

Json = dict[str, Any]

CIM10 = "https://smt.esante.gouv.fr/terminologie-cim-10"
CCAM = "https://smt.esante.gouv.fr/terminologie-ccam"
ATC = "https://smt.esante.gouv.fr/terminologie-atc"
UCD = "https://smt.esante.gouv.fr/terminologie-cip_ucd"
BDPM = "https://smt.esante.gouv.fr/terminologie-bdpm"
LOINC = "http://loinc.org"
SNOMED = "http://snomed.info/sct"
UCUM = "http://unitsofmeasure.org"
HL7 = "http://terminology.hl7.org/CodeSystem/"
FR_CORE = "https://hl7.fr/ig/fhir/core/"
EDS = "https://interop.esante.gouv.fr/ig/fhir/eds/CodeSystem/"
FR_TYPE = FR_CORE + "CodeSystem/fr-core-cs-v2-0203"
FR_VISIT = FR_CORE + "CodeSystem/fr-core-cs-identifier-type"
FR_ORGANIZATION = FR_CORE + "CodeSystem/fr-core-cs-v2-3307"
RPPS = "https://rpps.esante.gouv.fr"
FINESS = "https://finess.esante.gouv.fr"


def coding(system: str, code: str, display: str = "") -> Json:
    """A Coding."""
    return {"system": system, "code": code, **({"display": display} if display else {})}


def concept(*codings: Json, text: str = "") -> Json:
    """A CodeableConcept of the codings that have a code."""
    kept = [each for each in codings if each["code"]]
    return {**({"coding": kept} if kept else {}), **({"text": text} if text else {})}


def hl7(name: str, code: str, display: str = "") -> Json:
    """A CodeableConcept of one code of HL7's terminology."""
    return concept(coding(HL7 + name, code, display))


def cim10(code: str) -> Json:
    """The diagnosis, with our own wording."""
    label = table("codes")["cim10"][code][0]
    return concept(coding(CIM10, code, label), text=label)


def short(code: str) -> str:
    """How reports call a diagnosis: HTA, PAC, AVC ischémique."""
    return str(table("codes")["cim10"][code][1])


def ccam(code: str) -> Json:
    """The act, with our own wording."""
    label = act_label(code)
    return concept(coding(CCAM, code, label), text=label)


def act_label(code: str) -> str:
    """What reports call an act."""
    return str(table("codes")["ccam"][code])


def drug(name: str) -> Json:
    """A drug as CodeableConcept: ATC, and UCD where it is known for sure."""
    atc, label, *_ = row = table("drugs")[name]
    ucd = row[6] if len(row) > 6 else ""
    return concept(coding(ATC, atc), coding(UCD, ucd, label if ucd else ""), text=label)


def profile(name: str) -> Json:
    """The meta element that claims a profile of FR Core."""
    return {"profile": [FR_CORE + "StructureDefinition/" + name]}


def quantity(value: Decimal | int, unit: str, code: str) -> Json:
    """A Quantity in UCUM; unit "1" has no name."""
    return {"value": value, **({} if unit == "1" else {"unit": unit}), "system": UCUM, "code": code}


def decimal(value: float, digits: int) -> Decimal:
    """The number with exactly that many digits after the point."""
    return Decimal(f"{value:.{digits}f}")


def french(value: Decimal) -> str:
    """3,4."""
    return str(value).replace(".", ",")


def identifier(system: str, value: str, use: str = "", kind: Json | None = None) -> Json:
    """An Identifier; kind: CodeableConcept."""
    return {
        **({"use": use} if use else {}),
        **({"type": kind} if kind else {}),
        "system": system,
        "value": value,
    }


@cache
def luhn(digits: str) -> str:
    """The digits with their Luhn key."""
    total = 0
    for index, digit in enumerate(reversed(digits)):
        doubled = int(digit) * (2 if index % 2 == 0 else 1)
        total += doubled - 9 if doubled > 9 else doubled
    return digits + str(-total % 10)

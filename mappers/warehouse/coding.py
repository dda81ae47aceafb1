"""Codes and units, the only texts that reach the warehouse.

Enters: Coding, CodeableConcept, Quantity. Leaves: a code under its system, a unit. Display, text and everything else
that people type may hold a patient's name and is never read (f2o-022).
"""

from __future__ import annotations

import re
from collections.abc import Collection, Iterable
from functools import lru_cache
from typing import Any

from mappers.warehouse.record import Code

STANDARD = frozenset(
    {
        "http://snomed.info/sct",
        "http://loinc.org",
        "http://www.nlm.nih.gov/research/umls/rxnorm",
        "http://hl7.org/fhir/sid/cvx",
        "http://unitsofmeasure.org",
    }
)
"""Systems whose codes are standard concepts in OMOP, and so come first (f2o-034)."""

REMEMBERED = 4096
"""Codes and units of a hospital are few; to look one up takes a tenth of the time of judging it again."""
_SHAPE = re.compile(r"[!-~]{1,255}")
_LOCAL_SHAPE = re.compile(r"(?=[^\d]*\d)(?!.*\d{9})[A-Za-z0-9][A-Za-z0-9._:/+*-]{0,19}")
_UNIT_ATOMS = frozenset(
    """g kg mg ug µg μg ng pg fg l L dl dL cl cL ml mL ul uL µL μL fl fL pl pL mol mmol umol µmol μmol nmol pmol fmol
    m cm mm um µm μm nm km m2 h hr d j a mo wk wks min s sec ms us J kJ cal kcal Cal W V mV Hz kHz Pa kPa mmHg
    mm[Hg] cmH2O cm[H2O] bar
    Cel °C C degF °F K % ‰ U IU UI mU mUI mIU kU kUI kIU MU MUI uU µU uIU µUI eq mEq Eq meq osm mOsm mosm bpm
    /min /mm3 mm3 cm3 m3 T G M
    kat ukat µkat nkat Gy mGy mSv Bq MBq dB pH log10 tablet tablets comprimé comprimés cp gel amp ampoule fl.
    goutte gouttes dose doses year
    years an ans mois jour jours day days week weeks hour hours month months ratio score Torr x /HPF /hpf /LPF
    /lpf""".split()
)


def codings(concepts: dict[str, Any] | Iterable[dict[str, Any]] | None) -> list[dict[str, Any]]:
    """The Codings of one CodeableConcept or of several, in order."""
    if not concepts:
        return []
    if isinstance(concepts, dict):
        return concepts.get("coding") or []
    return [coding for concept in concepts for coding in concept.get("coding") or ()]


def plausible(coding: dict[str, Any] | None) -> Code | None:
    """The code of a Coding when it has the shape of one: no space; without a system also short, with a digit, no long
    number.
    """
    if not coding:
        return None
    return _plausible(coding.get("system") or "", coding.get("code") or "")


@lru_cache(REMEMBERED)
def _plausible(system: str, code: str) -> Code | None:
    return Code(system, code) if (_SHAPE if system else _LOCAL_SHAPE).fullmatch(code) else None


def code(concepts: dict[str, Any] | Iterable[dict[str, Any]] | None) -> Code | None:
    """The code that stands for the concept: of a standard system, else of another, else of none; the user's choice,
    else the first.

    Spec: http://hl7.org/fhir/uv/omop, f2o-034, f2o-035 (the most specific one needs the vocabulary)
    """
    best, best_rank = None, 9
    for coding in codings(concepts):
        found = plausible(coding)
        if found is None:
            continue
        rank = (0 if found.system in STANDARD else 2 if found.system else 4) + (0 if coding.get("userSelected") else 1)
        if rank < best_rank:
            best, best_rank = found, rank
    return best


def source(concepts: dict[str, Any] | Iterable[dict[str, Any]] | None) -> str | None:
    """The code verbatim, for a source value."""
    found = code(concepts)
    return found.code if found else None


def has(concepts: dict[str, Any] | Iterable[dict[str, Any]] | None, codes: Collection[str]) -> str | None:
    """The first of the concept's codes, under any system, that is one of `codes`."""
    return next((coding["code"] for coding in codings(concepts) if coding.get("code") in codes), None)


def unit(quantity: dict[str, Any] | None) -> str | None:
    """The unit's code verbatim, else the written unit when it is made of units only: `mg/L`, `x10^9/L`."""
    if not quantity:
        return None
    return _unit(quantity.get("code") or "", bool(quantity.get("system")), quantity.get("unit") or "")


@lru_cache(REMEMBERED)
def _unit(code: str, under_system: bool, text: str) -> str | None:
    if _SHAPE.fullmatch(code) and (under_system or _is_unit(code)):
        return code
    return text if _is_unit(text) else None


def _is_unit(text: str) -> bool:
    if not 0 < len(text) <= 30:
        return False
    return text in _UNIT_ATOMS or all(atom in _UNIT_ATOMS for atom in re.split(r"[\s/.*^×xX0-9()+-]+", text) if atom)

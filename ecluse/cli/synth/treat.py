"""Drugs that are prescribed and given, vaccines, allergies.

Enters: an episode, or a person at the start of the file. Leaves: MedicationRequest, MedicationAdministration,
Immunization, AllergyIntolerance.
Spec: http://hl7.org/fhir/R4/medicationrequest.html
"""

from __future__ import annotations

from collections.abc import Iterator
from datetime import date, datetime, timedelta
from decimal import Decimal

from ecluse.cli.synth import moments
from ecluse.cli.synth.codes import ATC, BDPM, Json, coding, concept, drug, hl7, quantity
from ecluse.cli.synth.plan import Episode
from ecluse.cli.synth.record import Record
from ecluse.cli.synth.story import table

MORNING = 8.25
SUPPLY_DAYS = 90
OLD = 65
FLU_MONTH = 10


def prescriptions(record: Record, episode: Episode, encounters: dict[str, Json]) -> None:
    """What is prescribed during the visit, with one administration a day."""
    for name, (first, last) in episode.visit.drugs.items():
        start = episode.at(first, MORNING)
        request = record.add(_request(record, episode, encounters["visit"], name, start, "inpatient"))
        for moment in _given(episode, first, last):
            record.add(_administration(record, encounters["visit"], name, moment, request))


def _given(episode: Episode, first: int, last: int) -> Iterator[datetime]:
    before = None
    for day in range(first, last + 1):
        moment = episode.at(day, MORNING)
        if moment != before:
            yield moment
        before = moment


def at_home(record: Record, episode: Episode, encounters: dict[str, Json]) -> None:
    """The prescription with which the patient goes home."""
    category = "discharge" if episode.visit.kind == "stay" else "outpatient"
    for name in episode.visit.home:
        record.add(_request(record, episode, encounters["visit"], name, episode.end - timedelta(minutes=5), category))


def said(names: list[str]) -> str:
    """A prescription as reports write it."""
    lines = []
    for name in names:
        _, label, dose, unit, times, *_ = table("drugs")[name]
        lines.append(f"{label} : {_dose(dose)} {_unit(unit)} x {times}/j")
    return " ; ".join(lines) + "." if lines else "aucun traitement."


def _dose(dose: float) -> str:
    return f"{dose:g}".replace(".", ",") if dose < 1_000_000 else f"{dose / 1_000_000:g} M"


def _unit(ucum: str) -> str:
    return ucum.replace("[IU]", "UI").replace("{tbl}", "cp").replace("{puff}", "inhalation").replace("ug", "µg")


def _dosage(name: str) -> Json:
    _, _, dose, unit, times, route, *_ = table("drugs")[name]
    return {
        "text": f"{_dose(dose)} {_unit(unit)} {times} fois par jour, voie {route}",
        "timing": {"repeat": {"frequency": times, "period": 1, "periodUnit": "d"}},
        "route": {"text": f"voie {route}"},
        "doseAndRate": [{"doseQuantity": quantity(Decimal(str(dose)), _unit(unit), unit)}],
    }


def _request(record: Record, episode: Episode, encounter: Json, name: str, moment: datetime, category: str) -> Json:
    first, last = episode.visit.drugs.get(name, (0, 0)) if category == "inpatient" else (1, SUPPLY_DAYS)
    return {
        "resourceType": "MedicationRequest",
        "status": "completed",
        "intent": "order",
        "category": [hl7("medicationrequest-category", category)],
        "medicationCodeableConcept": drug(name),
        "subject": record.subject,
        "encounter": encounter,
        "authoredOn": moments.date_time(moment),
        "requester": record.doctor(episode.span_at(moment).unit).reference,
        "dosageInstruction": [_dosage(name)],
        "dispenseRequest": {"expectedSupplyDuration": quantity(last - first + 1, "j", "d")},
    }


def _administration(record: Record, encounter: Json, name: str, moment: datetime, request: Json) -> Json:
    _, _, dose, unit, _, route, *_ = table("drugs")[name]
    return {
        "resourceType": "MedicationAdministration",
        "status": "completed",
        "medicationCodeableConcept": drug(name),
        "subject": record.subject,
        "context": encounter,
        "effectiveDateTime": moments.date_time(moment),
        "request": request,
        "dosage": {"route": {"text": f"voie {route}"}, "dose": quantity(Decimal(str(dose)), _unit(unit), unit)},
    }


def allergies(record: Record, day: date) -> None:
    """The allergies of the file; drugs by ATC code, the rest by name."""
    for atc, name, reaction, share in table("codes")["allergies"]:
        if not record.chance.happens(share):
            continue
        record.allergies.append(f"{name} ({reaction})")
        record.add(
            {
                "resourceType": "AllergyIntolerance",
                "clinicalStatus": hl7("allergyintolerance-clinical", "active"),
                "verificationStatus": hl7("allergyintolerance-verification", "confirmed"),
                "type": "allergy",
                "category": ["medication" if atc else "food" if name == "arachide" else "environment"],
                "criticality": "high" if "Quincke" in reaction else "low",
                "code": concept(coding(ATC, atc, name if atc else ""), text=name),
                "patient": record.subject,
                "recordedDate": day.isoformat(),
                "reaction": [{"manifestation": [{"text": reaction}]}],
            }
        )


def vaccines(record: Record, first: date, last: date) -> None:
    """Influenza each autumn for the old, pneumococcus once, tetanus for the others; first, last: days of the file."""
    old = record.person.age(first) >= OLD
    for year in range(first.year, last.year + 1):
        day = date(year, FLU_MONTH, record.chance.integer(12, 31))
        if old and first <= day <= last and record.chance.happens(0.7):
            _vaccine(record, "grippe", day)
    once = first + timedelta(days=record.chance.integer(1, 200))
    if once <= last:
        _vaccine(record, "pneumocoque" if old else "dtp", once)
    covid = date(max(first.year, 2021), 11, record.chance.integer(2, 28))
    if record.person.age(first) >= 12 and first <= covid <= last:  # offered to all from 12 years on
        _vaccine(record, "covid", covid)


def _vaccine(record: Record, kind: str, day: date) -> None:
    atc, name, cis, brand = table("codes")["vaccines"][kind]
    record.add(
        {
            "resourceType": "Immunization",
            "status": "completed",
            "vaccineCode": concept(coding(BDPM, cis, brand), coding(ATC, atc, name), text=name),
            "patient": record.subject,
            "occurrenceDateTime": day.isoformat(),
            "primarySource": True,
            "lotNumber": f"FICTIF{record.chance.digits(4)}",
        }
    )

"""Encounters: a passage, a stay with its unit stays, a session, a consultation; and their diagnoses with DP, DR, DAS.

Enters: an episode. Leaves: Encounters and Conditions; references by name ("visit", "emergency", "unit0").
Spec: http://hl7.org/fhir/R4/encounter.html · https://hl7.fr/ig/fhir/core/StructureDefinition/fr-core-encounter
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from ecluse.cli.synth import moments
from ecluse.cli.synth.codes import EDS, FR_VISIT, HL7, Json, coding, concept, hl7, profile
from ecluse.cli.synth.plan import Episode, Span
from ecluse.cli.synth.record import Record

CLASSES = {
    "stay": ("IMP", "inpatient encounter"),
    "unit": ("IMP", "inpatient encounter"),
    "day": ("AMB", "ambulatory"),
    "consultation": ("AMB", "ambulatory"),
    "emergency": ("EMER", "emergency"),
}
LABELS = {"stay": "Hospitalisation complète", "day": "Hospitalisation de jour", "consultation": "Consultation externe"}
USES = {"DP": "Diagnostic principal", "DR": "Diagnostic relié", "DA": "Diagnostic associé significatif"}
BILLED = ("stay", "day")


@dataclass(frozen=True, slots=True)
class Coded:
    """A diagnosis of a RUM: use (DP, DR, DA), code, Condition."""

    use: str
    code: str
    condition: Json


def encounters(record: Record, episode: Episode) -> tuple[dict[str, Json], dict[int, list[Coded]]]:
    """References of the encounters by name, and what each unit stay codes."""
    visit = record.chance.new_uuid()
    named: dict[str, Json] = {"visit": {"reference": f"urn:uuid:{visit}"}}
    if episode.emergency:
        named["emergency"] = _passage(record, episode, episode.emergency)
    known: dict[str, Json] = {}
    coded = {index: list(_coded(record, episode, span, named, known)) for index, span in enumerate(episode.spans)}
    record.add(_whole(record, episode, coded), named["visit"]["reference"])
    for index, span in enumerate(episode.spans):
        named[f"unit{index}"] = named["visit"]
        if episode.visit.kind == "stay":
            named[f"unit{index}"] = record.add(_part(record, episode, span, named["visit"], coded[index]))
    return named, coded


def _passage(record: Record, episode: Episode, span: Span) -> Json:
    """The emergency passage before a stay, with what was thought of and ruled out."""
    full_url = f"urn:uuid:{record.chance.new_uuid()}"
    here = {"reference": full_url}
    thought = [(code, "refuted") for code in episode.visit.hypotheses] + [(span.plan.dp, "provisional")]
    diagnoses = [
        {
            "condition": record.diagnosis(code, span.start, here, status),
            "use": hl7("diagnosis-role", "AD"),
            "rank": rank,
        }
        for rank, (code, status) in enumerate(reversed(thought), 1)
    ]
    encounter = _encounter(record, episode, span, "emergency", "VN", record.number("sejour", span.start))
    record.add({**encounter, "diagnosis": diagnoses, "location": [_location(record, span)]}, full_url)
    return here


def _coded(
    record: Record, episode: Episode, span: Span, named: dict[str, Json], known: dict[str, Json]
) -> Iterator[Coded]:
    """The unit's DP, DR and DAS; a condition that is in the file already is not written again. known: of this visit"""
    plan = span.plan
    for use, code in (("DP", plan.dp), ("DR", plan.dr), *(("DA", code) for code in plan.das)):
        if not code:
            continue
        if code in record.problems:
            yield Coded(use, code, {"reference": record.problems[code]})
            continue
        if code not in known:
            ends = moments.date_time(episode.end) if _passes(code) and not episode.died else ""
            known[code] = record.diagnosis(code, span.start, named["visit"], end=ends)
        yield Coded(use, code, known[code])


def _passes(code: str) -> bool:
    """Whether the condition is over when the patient leaves: injuries, symptoms, sessions, acute organ failures."""
    return code[0] in "AKORSZ" or code[:3] in ("D62", "D70", "J13", "J18", "J96", "N10", "N17", "E87")


def _whole(record: Record, episode: Episode, coded: dict[int, list[Coded]]) -> Json:
    """The visit itself; of a stay the main diagnosis is that of its first unit."""
    span = Span(episode.spans[0].plan, episode.spans[0].start, episode.end)
    number = record.number("sejour", span.start)
    episode.notes["stay"] = number
    encounter = _encounter(record, episode, span, episode.visit.kind, "VN", number)
    kept: dict[str, Coded] = {}
    for each in (each for rum in coded.values() for each in rum):
        kept.setdefault(each.code, each if not kept or each.use != "DP" else Coded("DA", each.code, each.condition))
    encounter["diagnosis"] = _diagnoses(episode, list(kept.values()))
    if episode.visit.kind == "stay":
        encounter["hospitalization"] = _hospitalization(episode)
        encounter["serviceProvider"] = record.hospital.reference
    else:
        encounter["location"] = [_location(record, span)]
    return encounter


def _part(record: Record, episode: Episode, span: Span, whole: Json, coded: list[Coded]) -> Json:
    """A unit stay: a movement inside the stay."""
    encounter = _encounter(record, episode, span, "unit", "MN", record.number("mouvement", span.start))
    return {
        **encounter,
        "diagnosis": _diagnoses(episode, coded),
        "location": [_location(record, span)],
        "partOf": whole,
    }


def _encounter(record: Record, episode: Episode, span: Span, kind: str, number: str, value: str) -> Json:
    code, display = CLASSES[kind]
    system = "sejour" if number == "VN" else "mouvement"
    doctor = record.doctor(span.unit)
    label = {"type": [{"text": LABELS[kind]}]} if kind in LABELS else {}
    return {
        "resourceType": "Encounter",
        "meta": profile("fr-core-encounter"),
        "identifier": [record.named(system, value, concept(coding(FR_VISIT, number)))],
        "status": "finished",
        "class": coding(HL7 + "v3-ActCode", code, display),
        **label,
        "subject": record.subject,
        "participant": [{"type": [hl7("v3-ParticipationType", "ATND")], "individual": doctor.reference}],
        "period": {"start": moments.date_time(span.start), "end": moments.date_time(span.end)},
        "serviceProvider": record.hospital.unit(span.unit),
    }


def _location(record: Record, span: Span) -> Json:
    period = {"start": moments.date_time(span.start), "end": moments.date_time(span.end)}
    return {"location": record.hospital.ward(span.unit), "status": "completed", "period": period}


def _hospitalization(episode: Episode) -> Json:
    source = (
        ("emd", "From accident/emergency department") if episode.emergency else ("outp", "From outpatient department")
    )
    left = ("exp", "Expired") if episode.died else ("home", "Home")
    return {
        "admitSource": hl7("admit-source", *source),
        "dischargeDisposition": hl7("discharge-disposition", *left),
    }


def _diagnoses(episode: Episode, coded: list[Coded]) -> list[Json]:
    """Encounter.diagnosis: of a billed visit with its PMSI use, ranks from the DP on; else the discharge diagnosis."""
    ordered = sorted(coded, key=lambda each: ("DP", "DR", "DA").index(each.use))
    billed = episode.visit.kind in BILLED
    return [
        {
            "condition": each.condition,
            "use": concept(coding(EDS + "PMSIMCODiagType", each.use, USES[each.use])) if billed else _discharge(),
            "rank": rank,
        }
        for rank, each in enumerate(ordered, 1)
    ]


def _discharge() -> Json:
    return hl7("diagnosis-role", "DD", "Discharge diagnosis")

"""Who writes which report of a visit.

Enters: an episode with its notes, what was seen and done. Leaves: reports in French through `document.py`.
"""

from __future__ import annotations

from datetime import datetime, timedelta

from ecluse.cli.synth import moments, wording
from ecluse.cli.synth.act import Seen
from ecluse.cli.synth.codes import LOINC, Json, act_label, coding, concept
from ecluse.cli.synth.document import Sheet, composition, document, presented, section
from ecluse.cli.synth.hospital import unit_name
from ecluse.cli.synth.plan import Episode, Span
from ecluse.cli.synth.record import Record
from ecluse.cli.synth.story import table

KINDS = {"stay": "hospitalisation", "day": "seance", "consultation": "consultation", "emergency": "urgences"}
SHORT_FORMS = ("plain", "plain", "html", "binary")
FORMS = (*SHORT_FORMS, "composition", "composition")


def reports(record: Record, episode: Episode, encounters: dict[str, Json]) -> None:
    """The reports of a visit: the passage before it, the visit itself, the letter that goes home with the patient."""
    visit, pick = episode.visit, record.chance.pick
    if episode.emergency:
        _write(record, episode, episode.emergency, _sheet(record, "urgences", episode.emergency, encounters), "plain")
    whole = Span(episode.spans[-1].plan, episode.spans[0].start, episode.end)
    if record.chance.happens(visit.report):
        form = pick(FORMS if visit.kind == "stay" else SHORT_FORMS)
        _write(record, episode, whole, _sheet(record, KINDS[visit.kind], whole, encounters), form)
    if visit.kind == "stay" and not episode.died:
        _write(record, episode, whole, _sheet(record, "liaison", whole, encounters), pick(("plain", "html")))


def _sheet(record: Record, kind: str, span: Span, encounters: dict[str, Json]) -> Sheet:
    passage = kind == "urgences" and "emergency" in encounters
    return Sheet(kind, span.start, span.end, encounters["emergency" if passage else "visit"], record.doctor(span.unit))


def _write(record: Record, episode: Episode, span: Span, sheet: Sheet, form: str) -> None:
    said = wording.facts(record, episode, span, sheet.doctor)
    if sheet.kind == "urgences" and episode.emergency:
        said["labs_last"], said["imaging"] = "", episode.notes.get("imaging_emergency", "")
        said["destination"] = "hospitalisation"
    if form == "composition":
        composition(record, sheet, said)
    else:
        document(record, sheet, wording.fill(wording.layout(record, sheet.kind), said), form)


def imaging(record: Record, episode: Episode, seen: list[Seen]) -> None:
    """The radiologist's reports."""
    for each in seen:
        row = table("images")[each.image.image]
        image = {
            "title": row["title"],
            "code": row["ccam"],
            "indication": _indication(record, episode, each.moment),
            "technique": each.technique,
            "result": each.result,
            "conclusion": each.conclusion,
        }
        sheet = Sheet("imagerie", each.moment, each.moment, each.encounter, each.doctor)
        report = {
            "category": section("RAD"),
            "code": concept(coding(LOINC, "18748-4", "Imagerie diagnostique"), text=row["title"]),
            "imagingStudy": [each.study],
            "conclusion": each.conclusion,
        }
        presented(record, sheet, _filled(record, sheet, {"image": image}), report)


def pathology(record: Record, episode: Episode, encounters: dict[str, Json]) -> None:
    """The pathologist's report, on the day of the sample."""
    found = episode.visit.pathology
    if not found:
        return
    moment = episode.at(found.day, 12)
    said = {name: episode.wording(getattr(found, name)) for name in ("macroscopy", "microscopy", "conclusion")}
    said |= {"specimen": found.specimen, "indication": _indication(record, episode, moment)}
    sheet = Sheet("anatomopathologie", moment, moment, encounters["visit"], record.doctor("anapath"))
    report = {
        "category": section("PAT"),
        "code": concept(coding(LOINC, "11526-1", sheet.title), text=f"Anatomopathologie : {found.specimen}"),
        "conclusion": said["conclusion"],
    }
    presented(record, sheet, _filled(record, sheet, {"pathology": said}), report)


def operation(record: Record, episode: Episode, encounters: dict[str, Json], implant: str) -> None:
    """The surgeon's report. implant: what was put in, or an empty text"""
    done = episode.visit.operation
    if not done:
        return
    moment = episode.at(done.day, 11)
    unit = episode.span_at(moment).unit
    said = {name: episode.wording(getattr(done, name)) for name in ("indication", "position", "steps", "after")}
    said |= {"title": act_label(done.act), "code": done.act, "anesthesia": done.anesthesia, "device": implant}
    said |= {"blood": str(record.chance.integer(*done.blood))}
    end = min(moment + timedelta(hours=2), episode.end)
    sheet = Sheet("operatoire", moment, end, encounters["visit"], record.doctor(unit))
    text = _filled(record, sheet, {"operation": said, "unit": unit_name(unit)})
    document(record, sheet, text, record.chance.pick(("plain", "html", "binary")))


def _indication(record: Record, episode: Episode, moment: datetime) -> str:
    text = wording.fill(episode.wording(episode.visit.texts.motif), wording.about(record, moment.date()))
    return text[:1].upper() + text[1:]


def _filled(record: Record, sheet: Sheet, more: Json) -> str:
    day = sheet.start.date()
    facts = {**wording.about(record, day), "day": moments.short(day), "doctor": sheet.doctor.name, **more}
    return wording.fill(wording.layout(record, sheet.kind), facts)

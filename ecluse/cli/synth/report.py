"""Reports in French, in every form a hospital sends them: plain text, HTML, a Binary, a Composition, a presented form.

Enters: an episode with its notes. Leaves: DocumentReference, Binary, Composition, DiagnosticReport.
Spec: http://hl7.org/fhir/R4/documentreference.html · http://hl7.org/fhir/R4/composition.html
"""

from __future__ import annotations

import base64
from datetime import datetime, timedelta
from html import escape

from ecluse.cli.synth import moments, wording
from ecluse.cli.synth.act import Seen
from ecluse.cli.synth.codes import LOINC, Json, act_label, coding, concept, hl7
from ecluse.cli.synth.hospital import Doctor, unit_name
from ecluse.cli.synth.plan import Episode, Span
from ecluse.cli.synth.record import Record
from ecluse.cli.synth.story import table

KINDS = {"stay": "hospitalisation", "day": "seance", "consultation": "consultation", "emergency": "urgences"}
FORMS = ("plain", "plain", "html", "binary", "composition", "composition")
SECTIONS = (
    ("Motif", "46239-0", "motif"),
    ("Antécédents", "11348-0", "antecedents"),
    ("Antécédents familiaux", "10157-6", "family"),
    ("Allergies", "48765-2", "allergies"),
    ("Histoire de la maladie", "10164-2", "histoire"),
    ("Examen clinique", "29545-1", "clinical"),
    ("Biologie", "30954-2", "biology"),
    ("Imagerie", "18748-4", "imaging"),
    ("Évolution", "8648-8", "evolution"),
    ("Conclusion", "55110-1", "conclusion"),
    ("Traitement de sortie", "10183-2", "exit_treatment"),
    ("Suites", "18776-5", "suites"),
)


def reports(record: Record, episode: Episode, encounters: dict[str, Json]) -> None:
    """The reports of a visit: the passage before it, the visit itself, the letter that goes home with the patient."""
    visit = episode.visit
    if episode.emergency:
        _write(record, episode, "urgences", episode.emergency, encounters["emergency"], "plain")
    whole = Span(episode.spans[-1].plan, episode.spans[0].start, episode.end)
    if record.chance.happens(visit.report):
        form = record.chance.pick(FORMS) if visit.kind == "stay" else record.chance.pick(FORMS[:4])
        _write(record, episode, KINDS[visit.kind], whole, encounters["visit"], form)
    if visit.kind == "stay" and not episode.died:
        _write(record, episode, "liaison", whole, encounters["visit"], record.chance.pick(("plain", "html")))


def _write(record: Record, episode: Episode, kind: str, span: Span, encounter: Json, form: str) -> None:
    doctor = record.doctor(span.unit)
    said = wording.facts(record, episode, span, doctor)
    if kind == "urgences" and episode.emergency:
        said["labs_last"], said["imaging"] = "", episode.notes.get("imaging_emergency", "")
        said["destination"] = "hospitalisation"
    if form == "composition":
        record.add(_composition(record, kind, span, encounter, said, doctor))
        return
    text = wording.fill(wording.layout(record, kind), said)
    document(record, kind, text, span, encounter, doctor, form)


def document(record: Record, kind: str, text: str, span: Span, encounter: Json, doctor: Doctor, form: str) -> None:
    """A DocumentReference; its text is inside, as plain text or HTML, or in a Binary of the same bundle."""
    code, title = table("reports")[kind]["loinc"]
    created = moments.date_time(span.end)
    attachment = {**attached(text, title, form), "creation": created}
    if form == "binary":
        data = attachment.pop("data")
        content = {"resourceType": "Binary", "contentType": attachment["contentType"], "data": data}
        attachment["url"] = record.add(content)["reference"]
    record.add(
        {
            "resourceType": "DocumentReference",
            "identifier": [record.named("document", record.chance.digits(10))],
            "status": "current",
            "docStatus": "final",
            "type": concept(coding(LOINC, code, title), text=title),
            "subject": record.subject,
            "date": created,
            "author": [doctor.reference],
            "custodian": record.hospital.reference,
            "content": [{"attachment": attachment}],
            "context": {
                "encounter": [encounter],
                "period": {"start": moments.date_time(span.start), "end": created},
            },
        }
    )


def attached(text: str, title: str, form: str) -> Json:
    """An Attachment with the text. form: html, or anything else for plain text"""
    content, kind = (page(text, title), "text/html") if form == "html" else (text, "text/plain")
    return {
        "contentType": f"{kind}; charset=utf-8",
        "language": "fr-FR",
        "data": base64.b64encode(content.encode()).decode(),
        "title": title,
    }


def page(text: str, title: str) -> str:
    """The text as HTML: titles where a line is in capitals, a paragraph for each other line."""
    lines = []
    for line in filter(None, (line.strip() for line in text.splitlines())):
        heading = line.isupper() and len(line) > 3
        tag, words = ("h2", line.capitalize()) if heading else ("p", line)
        lines.append(f"<{tag}>{escape(words, quote=False)}</{tag}>")
    head = f'<head><meta charset="utf-8"><title>{escape(title)}</title></head>'
    return (
        f'<!DOCTYPE html>\n<html lang="fr">{head}<body>\n{"".join(f"{line}{chr(10)}" for line in lines)}</body></html>'
    )


def _composition(record: Record, kind: str, span: Span, encounter: Json, said: Json, doctor: Doctor) -> Json:
    code, title = table("reports")[kind]["loinc"]
    labs = [said[name] for name in ("labs_first", "labs_last") if said[name]]
    texts = {
        **said,
        "clinical": f"{said['vitals']} {said['examen']}",
        "biology": "".join(
            f"{when} : {what}. " for when, what in zip(("À l'entrée", "À la sortie"), labs, strict=False)
        ),
    }
    sections = [
        {
            "title": heading,
            "code": concept(coding(LOINC, section)),
            "text": {"status": "generated", "div": _narrative(texts[name])},
        }
        for heading, section, name in SECTIONS
        if texts[name] and not (said["died"] and name in ("exit_treatment", "suites"))
    ]
    return {
        "resourceType": "Composition",
        "identifier": record.named("document", record.chance.digits(10)),
        "status": "final",
        "type": concept(coding(LOINC, code, title), text=title),
        "subject": record.subject,
        "encounter": encounter,
        "date": moments.date_time(span.end),
        "author": [doctor.reference],
        "title": title,
        "custodian": record.hospital.reference,
        "section": sections,
    }


def _narrative(text: str) -> str:
    return f'<div xmlns="http://www.w3.org/1999/xhtml"><p>{escape(text.strip(), quote=False)}</p></div>'


def imaging(record: Record, episode: Episode, seen: list[Seen]) -> None:
    """The radiologist's reports."""
    for each in seen:
        row = table("images")[each.image.image]
        indication = _indication(record, episode, each.moment)
        image = {
            "title": row["title"],
            "code": row["ccam"],
            "indication": indication,
            "technique": each.technique,
            "result": each.result,
            "conclusion": each.conclusion,
        }
        diagnostic = (
            ("RAD", concept(coding(LOINC, "18748-4", "Imagerie diagnostique"), text=row["title"])),
            each.conclusion,
        )
        more = {"imagingStudy": [each.study]}
        _presented(record, "imagerie", each.moment, each.encounter, each.doctor, {"image": image}, diagnostic, more)


def pathology(record: Record, episode: Episode, encounters: dict[str, Json]) -> None:
    """The pathologist's report, three days later or when the patient leaves."""
    found = episode.visit.pathology
    if not found:
        return
    moment = episode.at(found.day, 12)
    said = {name: episode.wording(getattr(found, name)) for name in ("macroscopy", "microscopy", "conclusion")}
    said |= {
        "specimen": found.specimen,
        "indication": _indication(record, episode, moment),
    }
    kind = concept(
        coding(LOINC, "11526-1", "Compte rendu d'anatomopathologie"), text=f"Anatomopathologie : {found.specimen}"
    )
    doctor = record.doctor("anapath")
    facts = {"pathology": said}
    _presented(
        record, "anatomopathologie", moment, encounters["visit"], doctor, facts, (("PAT", kind), said["conclusion"]), {}
    )


def operation(record: Record, episode: Episode, encounters: dict[str, Json], implant: str) -> None:
    """The surgeon's report. implant: what was put in, or """ ""
    done = episode.visit.operation
    if not done:
        return
    moment, pick = episode.at(done.day, 11), record.chance.pick
    span = Span(episode.span_at(moment).plan, moment, min(moment + timedelta(hours=2), episode.end))
    said = {name: episode.wording(getattr(done, name)) for name in ("indication", "position", "steps", "after")}
    said |= {"title": act_label(done.act), "code": done.act, "anesthesia": done.anesthesia, "device": implant}
    said |= {"blood": str(record.chance.integer(*done.blood))}
    doctor = record.doctor(span.unit)
    facts = _who(record, moment) | {"operation": said, "unit": unit_name(span.unit), "doctor": doctor.name}
    text = wording.fill(wording.layout(record, "operatoire"), facts)
    document(record, "operatoire", text, span, encounters["visit"], doctor, pick(("plain", "html", "binary")))


def _indication(record: Record, episode: Episode, moment: datetime) -> str:
    text = wording.fill(episode.wording(episode.visit.texts.motif), _who(record, moment))
    return text[:1].upper() + text[1:]


def _who(record: Record, moment: datetime) -> Json:
    return {**wording.about(record, moment.date()), "day": moments.short(moment.date())}


def _presented(
    record: Record,
    kind: str,
    moment: datetime,
    encounter: Json,
    doctor: Doctor,
    facts: Json,
    diagnostic: tuple[tuple[str, Json], str],
    more: Json,
) -> None:
    """A DiagnosticReport whose text is its presented form. diagnostic: ((section, code), conclusion)"""
    (section, code), conclusion = diagnostic
    text = wording.fill(wording.layout(record, kind), {**_who(record, moment), **facts, "doctor": doctor.name})
    title = table("reports")[kind]["loinc"][1]
    record.add(
        {
            "resourceType": "DiagnosticReport",
            "identifier": [record.named("document", record.chance.digits(10))],
            "status": "final",
            "category": [hl7("v2-0074", section)],
            "code": code,
            "subject": record.subject,
            "encounter": encounter,
            "effectiveDateTime": moments.date_time(moment),
            "issued": moments.date_time(moment),
            "performer": [doctor.reference],
            **more,
            "conclusion": conclusion,
            "presentedForm": [attached(text, title, "plain")],
        }
    )

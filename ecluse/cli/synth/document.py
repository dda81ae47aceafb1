"""The forms in which a hospital sends a text: plain, HTML, a Binary, a Composition, the presented form of a report.

Enters: a sheet (what kind, when, in which encounter, by whom) and its text. Leaves: resources.
Spec: http://hl7.org/fhir/R4/documentreference.html · http://hl7.org/fhir/R4/composition.html
"""

from __future__ import annotations

import base64
from dataclasses import dataclass
from datetime import datetime
from html import escape

from ecluse.cli.synth import moments
from ecluse.cli.synth.codes import LOINC, Json, coding, concept, hl7
from ecluse.cli.synth.hospital import Doctor
from ecluse.cli.synth.record import Record
from ecluse.cli.synth.story import table

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
"""Of a Composition: title, LOINC code, name of the fact."""


@dataclass(frozen=True, slots=True)
class Sheet:
    """What is written where. kind: of reports.yaml; start, end: what it tells of; it is signed at the end"""

    kind: str
    start: datetime
    end: datetime
    encounter: Json
    doctor: Doctor

    @property
    def title(self) -> str:
        """What the kind is called."""
        return str(table("reports")[self.kind]["loinc"][1])

    @property
    def type(self) -> Json:
        """The kind as CodeableConcept."""
        return concept(coding(LOINC, table("reports")[self.kind]["loinc"][0], self.title), text=self.title)


def document(record: Record, sheet: Sheet, text: str, form: str) -> None:
    """Writes a DocumentReference. form: plain and html have the text inside, binary in a Binary of the same bundle"""
    created = moments.date_time(sheet.end)
    attachment = {**attached(text, sheet.title, form), "creation": created}
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
            "type": sheet.type,
            "subject": record.subject,
            "date": created,
            "author": [sheet.doctor.reference],
            "custodian": record.hospital.reference,
            "content": [{"attachment": attachment}],
            "context": {
                "encounter": [sheet.encounter],
                "period": {"start": moments.date_time(sheet.start), "end": created},
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
        lines.append(f"<{tag}>{escape(words, quote=False)}</{tag}>\n")
    head = f'<head><meta charset="utf-8"><title>{escape(title, quote=False)}</title></head>'
    return f'<!DOCTYPE html>\n<html lang="fr">{head}<body>\n{"".join(lines)}</body></html>'


def composition(record: Record, sheet: Sheet, said: Json) -> None:
    """Writes a Composition, a section for each fact that is known."""
    labs = [said[name] for name in ("labs_first", "labs_last") if said[name]]
    biology = [f"{when} : {what}." for when, what in zip(("À l'entrée", "À la sortie"), labs, strict=False)]
    texts = {**said, "clinical": f"{said['vitals']} {said['examen']}", "biology": " ".join(biology)}
    left_out = ("exit_treatment", "suites") if said["died"] else ()
    sections = [
        {
            "title": heading,
            "code": concept(coding(LOINC, section)),
            "text": {"status": "generated", "div": _narrative(texts[name])},
        }
        for heading, section, name in SECTIONS
        if texts[name] and name not in left_out
    ]
    record.add(
        {
            "resourceType": "Composition",
            "identifier": record.named("document", record.chance.digits(10)),
            "status": "final",
            "type": sheet.type,
            "subject": record.subject,
            "encounter": sheet.encounter,
            "date": moments.date_time(sheet.end),
            "author": [sheet.doctor.reference],
            "title": sheet.title,
            "custodian": record.hospital.reference,
            "section": sections,
        }
    )


def _narrative(text: str) -> str:
    return f'<div xmlns="http://www.w3.org/1999/xhtml"><p>{escape(text.strip(), quote=False)}</p></div>'


def presented(record: Record, sheet: Sheet, text: str, report: Json) -> None:
    """Writes a DiagnosticReport whose text is its presented form. report: category, code, conclusion, what else"""
    issued = moments.date_time(sheet.end)
    record.add(
        {
            "resourceType": "DiagnosticReport",
            "identifier": [record.named("document", record.chance.digits(10))],
            "status": "final",
            "subject": record.subject,
            "encounter": sheet.encounter,
            "effectiveDateTime": moments.date_time(sheet.start),
            "issued": issued,
            "performer": [sheet.doctor.reference],
            **report,
            "presentedForm": [attached(text, sheet.title, "plain")],
        }
    )


def section(code: str) -> list[Json]:
    """The category of a DiagnosticReport."""
    return [hl7("v2-0074", code)]

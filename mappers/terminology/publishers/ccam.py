"""CCAM, as the public tables of the Assurance Maladie and the ATIH are exported: CSV, XLS or XLSX.

Enters: rows below a header with a column for the code and one for the text. Leaves: a code system of the acts; lines
whose code is a number (`01.01.02`) are the chapters above them; lines without a code are notes on what stands above,
and become its definition. An act with several activities or phases stands on several lines: it is one concept.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass, field

from mappers.terminology.concept import Concept, Json, Source
from mappers.terminology.publishers.table import Header, Table, header, records, refused

SYSTEM = "https://smt.esante.gouv.fr/terminologie-ccam"
ACT = re.compile(r"[A-Z]{4}[0-9]{3}(?:-[0-9A-Z]{2})?")
CHAPTER = re.compile(r"[0-9]{1,2}(?:\.[0-9]{1,2})*\.?")
NAMES = {
    "code": frozenset({"code", "code ccam", "code acte", "acte", "code de l acte"}),
    "text": frozenset({"texte", "libelle", "libelle long", "libelle de l acte", "libelle acte", "nom long"}),
    "short": frozenset({"libelle court", "nom court"}),
    "activity": frozenset({"activite", "code activite"}),
    "phase": frozenset({"phase", "code phase"}),
}
PROPERTIES = [
    {"code": "activity", "type": "code", "description": "An activity that the act can be coded with."},
    {"code": "phase", "type": "code", "description": "A phase of treatment of the act."},
    {"code": "notSelectable", "uri": "http://hl7.org/fhir/concept-properties#notSelectable", "type": "boolean"},
]


@dataclass(slots=True)
class _Draft:
    """A concept while its lines are read."""

    code: str
    text: str
    parent: str
    abstract: bool
    short: str = ""
    notes: list[str] = field(default_factory=list)
    told: dict[tuple[str, str], None] = field(default_factory=dict)

    def concept(self) -> Concept:
        """The concept of these lines."""
        return Concept(
            self.code,
            self.text,
            "\n".join(self.notes),
            (self.parent,) if self.parent else (),
            abstract=self.abstract,
            designations=[{"language": "fr", "value": self.short}] if self.short else (),
            properties=[{"code": name, "valueCode": value} for name, value in self.told],
        )


def found_header(table: Table) -> Header | None:
    """The header of such a file, when acts stand below it."""
    found = header(table, (NAMES["code"], NAMES["text"]))
    if found is None:
        return None
    codes = (record["code"] for _, record in records(table, found, NAMES))
    return found if any(ACT.fullmatch(code) for code in codes) else None


def source(table: Table, found: Header, version: str = "", system: str = SYSTEM) -> Source:
    """The code system in the file.

    Raises, while it is read: BadRequest with the line and the fix"""
    told: Json = {
        "resourceType": "CodeSystem",
        "url": system,
        "name": "CCAM",
        "title": "Classification commune des actes médicaux",
        "status": "active",
        "content": "complete",
        "caseSensitive": False,
        "hierarchyMeaning": "grouped-by",
        "language": "fr",
        "property": PROPERTIES,
        **({"version": version} if version else {}),
    }
    return Source(told, lambda: _concepts(table, found))


def _concepts(table: Table, found: Header) -> Iterator[Concept]:
    draft: _Draft | None = None
    chapter = ""
    seen: set[str] = set()
    for line, record in records(table, found, NAMES):
        code, text = record["code"], record["text"]
        if not code:
            if draft is not None and text:
                draft.notes.append(text)
            continue
        if draft is None or draft.code != _number(code):
            if draft is not None:
                yield draft.concept()
            draft = _begun(table, line, record, chapter)
            if draft.code in seen:
                raise refused(
                    table, line, "this code stands twice, with others between; bring its lines together.", code
                )
            seen.add(draft.code)
            chapter = draft.code if draft.abstract else chapter
        for name in ("activity", "phase"):
            if record.get(name):
                draft.told[name, record[name]] = None
    if draft is not None:
        yield draft.concept()


def _number(code: str) -> str:
    """The number of a chapter with two digits a part, which spreadsheets take from the first; other codes as they
    are."""
    return ".".join(part.zfill(2) for part in code.rstrip(".").split(".")) if CHAPTER.fullmatch(code) else code


def _begun(table: Table, line: int, record: dict[str, str], chapter: str) -> _Draft:
    code, text = record["code"], record["text"]
    if not text:
        raise refused(table, line, "the text of this code is missing.", code)
    if ACT.fullmatch(code):
        return _Draft(code, text, chapter, abstract=False, short=record.get("short", ""))
    if CHAPTER.fullmatch(code):
        number = _number(code)
        return _Draft(number, text, number.rpartition(".")[0], abstract=True)
    raise refused(
        table, line, "a code is that of an act, four letters and three digits, or the number of a chapter.", code
    )

"""CIM-10 à usage PMSI, as the ATIH gives it: LIBCIM10MULTI.TXT.

    A000  |0|ONO|0|CHOLERA A VIBRIO|Choléra à Vibrio cholerae 01

Enters: rows cut at `|`: code, type MCO/HAD, profile SMR, type PSY, short and long label. Leaves: a code system whose
codes are written with their point, as senders write them and the SMT publishes them; the compact form is a property.
The nearest shorter code that stands in the file is the parent. A code that only groups (type 3) is abstract, a code
that was taken away (`*** SU09 ***`) is inactive.
"""

from __future__ import annotations

import re
from collections.abc import Iterator

from mappers.terminology.concept import Concept, Json, Source
from mappers.terminology.publishers.table import Row, Table, refused

SYSTEM = "https://smt.esante.gouv.fr/terminologie-cim-10"
CELLS = 6
CODE = re.compile(r"[A-Z][0-9]{2}[0-9A-Z+]{0,5}")
TAKEN_AWAY = re.compile(r"\*\*\* SU(\d\d) \*\*\*\s*")
GROUPING = "3"
PROPERTIES = [
    {"code": "typeMcoHad", "type": "code", "description": "Where the PMSI MCO and HAD allow the code: 0 to 4."},
    {"code": "profilSmr", "type": "code", "description": "Where the PMSI SMR allows the code."},
    {"code": "typePsy", "type": "code", "description": "Where the PMSI PSY allows the code: 0 to 3."},
    {"code": "compact", "type": "string", "description": "The code without its point."},
    {"code": "inactive", "uri": "http://hl7.org/fhir/concept-properties#inactive", "type": "boolean"},
    {"code": "notSelectable", "uri": "http://hl7.org/fhir/concept-properties#notSelectable", "type": "boolean"},
]


def matches(table: Table) -> bool:
    """Whether this is such a file."""
    _, cells = next(iter(table.rows()), (0, ()))
    return len(cells) == CELLS and CODE.fullmatch(cells[0].strip()) is not None and cells[1].strip() in tuple("01234")


def source(table: Table, version: str = "", system: str = SYSTEM) -> Source:
    """The code system in the file.

    Raises, while it is read: BadRequest with the line and the fix"""
    told: Json = {
        "resourceType": "CodeSystem",
        "url": system,
        "name": "CIM10",
        "title": "CIM-10 à usage PMSI",
        "status": "active",
        "content": "complete",
        "caseSensitive": False,
        "hierarchyMeaning": "is-a",
        "language": "fr",
        "property": PROPERTIES,
        **({"version": version} if version else {}),
    }
    return Source(told, lambda: _concepts(table))


def written(compact: str) -> str:
    """The code with its point: after the third sign, unless an extension of the category itself follows (`T08+1`)."""
    return compact if len(compact) <= 3 or compact[3] == "+" else f"{compact[:3]}.{compact[3:]}"


def _concepts(table: Table) -> Iterator[Concept]:
    known: set[str] = set()
    for row in table.rows():
        known.add(_cells(table, row)[0])
    seen: set[str] = set()
    for row in table.rows():
        cells = _cells(table, row)
        if cells[0] in seen:
            raise refused(table, row[0], "this code stands twice; keep one line.", cells[0])
        seen.add(cells[0])
        yield _concept(cells, known)


def _cells(table: Table, row: Row) -> list[str]:
    line, given = row
    cells = [cell.strip() for cell in given]
    if len(cells) != CELLS:
        raise refused(table, line, f"a line has {CELLS} fields parted by |, this one {len(cells)}.", "|".join(given))
    if not CODE.fullmatch(cells[0]):
        raise refused(table, line, "a code is a letter, two digits and up to five signs.", cells[0])
    if cells[1] not in tuple("01234"):
        raise refused(table, line, "the type MCO/HAD in the second field is a digit from 0 to 4.", cells[1])
    if not cells[5] and not cells[4]:
        raise refused(table, line, "the long label in the sixth field is missing.")
    return cells


def _concept(cells: list[str], known: set[str]) -> Concept:
    code, type_mco, profile, type_psy, short, long = cells
    away = TAKEN_AWAY.match(long)
    label = TAKEN_AWAY.sub("", long) or short
    parent = next((code[:length] for length in range(len(code) - 1, 2, -1) if code[:length] in known), None)
    told = [("typeMcoHad", type_mco), ("profilSmr", profile), ("typePsy", type_psy)]
    properties: list[Json] = [{"code": name, "valueCode": value} for name, value in told if value]
    properties.append({"code": "compact", "valueString": code})
    return Concept(
        written(code),
        label,
        parents=(written(parent),) if parent else (),
        inactive=away is not None,
        abstract=type_mco == GROUPING and away is None,
        designations=[{"language": "fr", "value": short}] if short and short != label else (),
        properties=properties,
    )

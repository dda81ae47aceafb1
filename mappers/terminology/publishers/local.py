"""A list of a hospital's own codes: a table with the columns code and display, and no publisher's layout.

Enters: rows below a header with `code` and `display` (or `libelle`), and, where there are any, `definition`, `parent`,
`inactive`. Leaves: a code system under the address that the user gives.
"""

from __future__ import annotations

from collections.abc import Iterator

from mappers.terminology.concept import Concept, Json, Source
from mappers.terminology.publishers.table import Header, Table, header, records, refused

NAMES = {
    "code": frozenset({"code"}),
    "display": frozenset({"display", "libelle", "label", "name", "nom"}),
    "definition": frozenset({"definition", "description"}),
    "parent": frozenset({"parent", "code parent", "parent code"}),
    "inactive": frozenset({"inactive", "inactif"}),
}
YES = frozenset({"1", "true", "yes", "oui", "o", "x"})


def found_header(table: Table) -> Header | None:
    """The header of such a file."""
    return header(table, (NAMES["code"], NAMES["display"]))


def source(table: Table, found: Header, version: str, system: str) -> Source:
    """The code system in the file.

    Raises, while it is read: BadRequest with the line and the fix"""
    told: Json = {
        "resourceType": "CodeSystem",
        "url": system,
        "name": "Local",
        "title": table.name,
        "status": "active",
        "content": "complete",
        "caseSensitive": True,
        "property": [{"code": "inactive", "uri": "http://hl7.org/fhir/concept-properties#inactive", "type": "boolean"}],
        **({"version": version} if version else {}),
    }
    return Source(told, lambda: _concepts(table, found))


def _concepts(table: Table, found: Header) -> Iterator[Concept]:
    seen: set[str] = set()
    for line, record in records(table, found, NAMES):
        code = record["code"]
        if not any(record.values()):
            continue
        if not code or code in seen:
            text = "this code stands twice; keep one line." if code else "the code is missing."
            raise refused(table, line, text, code)
        seen.add(code)
        yield Concept(
            code,
            record["display"],
            record.get("definition", ""),
            (record["parent"],) if record.get("parent") else (),
            inactive=record.get("inactive", "").lower() in YES,
        )

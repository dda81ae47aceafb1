"""Which publisher's file this is, told by what stands in it.

Enters: the tables of a path. Leaves: a source of concepts, or the error that says what would be understood.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import NamedTuple

from ecluse.core.errors import BadRequest
from mappers.terminology.concept import Source
from mappers.terminology.publishers import ccam, cim10, local, loinc
from mappers.terminology.publishers.loinc import Release
from mappers.terminology.publishers.table import Table

LANGUAGE = re.compile(r"([a-z]{2})([A-Z]{2})\d*LinguisticVariant\.csv$")
RELEASE = re.compile(r"Loinc_(\d+(?:\.\d+)+)", re.IGNORECASE)
UNDERSTOOD = (
    "Understood are LIBCIM10MULTI.TXT of the ATIH, tables of the CCAM with a column for code and text, Loinc.csv or "
    "the zip of LOINC, and tables with columns code and display (with --system)."
)


class Wish(NamedTuple):
    """What the command says. system, version: "" for what the file says; language: of LOINC's variants"""

    system: str = ""
    version: str = ""
    language: str = "fr"


def recognised(path: str, tables: Mapping[str, Table], wish: Wish) -> Source:
    """The code system in these tables.

    Raises: BadRequest when no publisher's layout is recognised"""
    terms = next((table for name, table in tables.items() if _is_terms(name, table)), None)
    if terms is not None:
        return _loinc(path, terms, tables, wish)
    for table in tables.values():
        if cim10.matches(table):
            return cim10.source(table, wish.version, wish.system or cim10.SYSTEM)
        if (found := ccam.found_header(table)) is not None:
            return ccam.source(table, found, wish.version, wish.system or ccam.SYSTEM)
        if loinc.is_variant(table):
            raise BadRequest(f"{table.name} holds translations only; give the zip or folder that has Loinc.csv too.")
    return _local(path, tables, wish)


def _is_terms(name: str, table: Table) -> bool:
    return "AccessoryFiles" not in name and loinc.found_header(table) is not None


def _loinc(path: str, terms: Table, tables: Mapping[str, Table], wish: Wish) -> Source:
    variants: dict[str, Table] = {}
    for name, table in tables.items():
        found = LANGUAGE.search(name)
        if found and found[1] == wish.language:
            variants[f"{found[1]}-{found[2]}"] = table
    trees = (table for name, table in tables.items() if name.endswith("ComponentHierarchyBySystem.csv"))
    named = RELEASE.search(terms.name) or RELEASE.search(path)
    version = wish.version or (named[1] if named else "")
    return loinc.source(Release(terms, variants, next(trees, None)), version, wish.system or loinc.SYSTEM)


def _local(path: str, tables: Mapping[str, Table], wish: Wish) -> Source:
    for table in tables.values():
        found = local.found_header(table)
        if found is not None and wish.system:
            return local.source(table, found, wish.version, wish.system)
        if found is not None:
            raise BadRequest(f"{table.name} is a table of codes; say with --system which code system it is.")
    first = next(iter(tables.values()))
    cells = next((cells for _, cells in first.rows()), [])
    raise BadRequest(f"{path}: this layout is not known. {UNDERSTOOD}", diagnostics=" | ".join(cells)[:200])

"""LOINC, as Regenstrief gives it: Loinc.csv, a linguistic variant, the hierarchy of components.

Enters: tables with the column names of the release. Leaves: a code system with the properties that FHIR names, its
parts above their terms where the hierarchy is given, displays of the variant as designations in its language.
Spec: http://hl7.org/fhir/R4/loinc.html
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from typing import NamedTuple

from mappers.terminology.concept import Concept, Json, Source
from mappers.terminology.publishers.table import Header, Table, header, plain, records, refused

SYSTEM = "http://loinc.org"
NUMBER = re.compile(r"[0-9]{1,7}-[0-9]")
PART = re.compile(r"LP[0-9]{1,7}-[0-9]")
AXES = ("COMPONENT", "PROPERTY", "TIME_ASPCT", "SYSTEM", "SCALE_TYP", "METHOD_TYP")
TOLD = (*AXES, "CLASS", "STATUS", "CLASSTYPE", "ORDER_OBS", "EXAMPLE_UCUM_UNITS")
"""The columns that become properties, under their own names."""
NAMED = ("LOINC_NUM", "LONG_COMMON_NAME", "SHORTNAME", "DisplayName", "VersionLastChanged", "DefinitionDescription")
VARIANT = ("LOINC_NUM", *AXES, "LONG_COMMON_NAME", "LinguisticVariantDisplayName")
TREE = ("IMMEDIATE_PARENT", "CODE", "CODE_TEXT")
INACTIVE = "DEPRECATED"


class Release(NamedTuple):
    """The tables of a release. terms: Loinc.csv or LoincTableCore.csv; variants: by language, fr-FR"""

    terms: Table
    variants: Mapping[str, Table]
    tree: Table | None = None


def found_header(table: Table) -> Header | None:
    """The header of Loinc.csv."""
    return header(
        table, [frozenset({plain(name)}) for name in ("LOINC_NUM", "COMPONENT", "STATUS", "LONG_COMMON_NAME")]
    )


def is_variant(table: Table) -> bool:
    """Whether this is a linguistic variant, which says nothing without Loinc.csv."""
    return (
        header(table, [frozenset({plain(name)}) for name in ("LOINC_NUM", "LinguisticVariantDisplayName")]) is not None
    )


def source(release: Release, version: str = "", system: str = SYSTEM) -> Source:
    """The code system of a release.

    version: "" for the latest in which a term was changed
    Raises, while it is read: BadRequest with the line and the fix"""
    told: Json = {
        "resourceType": "CodeSystem",
        "url": system,
        "version": version or _latest(release.terms),
        "name": "LOINC",
        "title": "LOINC Code System",
        "status": "active",
        "content": "complete",
        "caseSensitive": False,
        "valueSet": "http://loinc.org/vs",
        "copyright": "LOINC is © Regenstrief Institute, Inc.; https://loinc.org/license/",
        "property": [
            *({"code": name, "type": "string"} for name in TOLD),
            {"code": "parent", "uri": "http://hl7.org/fhir/concept-properties#parent", "type": "code"},
        ],
    }
    return Source(told, lambda: _concepts(release))


def _concepts(release: Release) -> Iterator[Concept]:
    parents: dict[str, list[str]] = {}
    if release.tree is not None:
        for line, code, text, parent in _tree(release.tree):
            if not PART.fullmatch(code) and not NUMBER.fullmatch(code):
                raise refused(release.tree, line, "a code is like LP7786-9 or 718-7.", code)
            first = code not in parents
            parents.setdefault(code, []).extend([parent] if parent else [])
            if first and PART.fullmatch(code):
                yield Concept(code, text, parents=(parent,) if parent else (), abstract=True)
    names = {language: dict(_names(table)) for language, table in release.variants.items()}
    for line, record in _records(release.terms, (*NAMED, *TOLD), "LOINC_NUM"):
        number = record["LOINC_NUM"]
        if not NUMBER.fullmatch(number):
            raise refused(release.terms, line, "a LOINC number is like 718-7.", number)
        translated = {language: own[number] for language, own in names.items() if own.get(number)}
        yield _term(record, tuple(parents.get(number, ())), translated)


def _term(record: Mapping[str, str], parents: tuple[str, ...], translated: Mapping[str, str]) -> Concept:
    short = [{"language": "en", "value": record[name]} for name in ("SHORTNAME", "DisplayName") if record.get(name)]
    other = [{"language": language, "value": name} for language, name in translated.items()]
    return Concept(
        record["LOINC_NUM"],
        record.get("LONG_COMMON_NAME") or record.get("SHORTNAME", ""),
        record.get("DefinitionDescription", ""),
        parents,
        inactive=record.get("STATUS") == INACTIVE,
        designations=[*short, *other],
        properties=[{"code": name, "valueString": record[name]} for name in TOLD if record.get(name)],
    )


def _tree(table: Table) -> Iterator[tuple[int, str, str, str]]:
    for line, record in _records(table, TREE, "CODE"):
        yield line, record["CODE"], record.get("CODE_TEXT", ""), record.get("IMMEDIATE_PARENT", "")


def _names(table: Table) -> Iterator[tuple[str, str]]:
    """Number → display of a variant: its own, else the axes as LOINC writes a full name."""
    for _, record in _records(table, VARIANT, "LOINC_NUM"):
        axes = ":".join(record.get(name, "") for name in AXES).rstrip(":")
        own = record.get("LinguisticVariantDisplayName") or record.get("LONG_COMMON_NAME")
        yield record["LOINC_NUM"], own or axes


def _records(table: Table, names: tuple[str, ...], key: str) -> Iterator[tuple[int, dict[str, str]]]:
    found = header(table, [frozenset({plain(key)})])
    if found is None:
        raise refused(table, 1, f"the header has no column {key}; give the file as the release has it.")
    for line, record in records(table, found, {name: frozenset({plain(name)}) for name in names}):
        if any(record.values()):
            yield line, record


def _latest(table: Table) -> str:
    versions = {record.get("VersionLastChanged", "") for _, record in _records(table, NAMED, "LOINC_NUM")}
    numbered = [version for version in versions if re.fullmatch(r"[0-9]+(?:\.[0-9]+)+", version)]
    return max(numbered, key=lambda version: [int(part) for part in version.split(".")], default="")

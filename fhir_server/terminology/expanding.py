"""The concepts of a value set, listed.

Enters: a composition and what the request wishes. Leaves: `ValueSet.expansion`. Nothing but the page that is asked for
is read.
Spec: http://hl7.org/fhir/R4/valueset-operation-expand.html
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from typing import Any

from ecluse.core import clock
from ecluse.core.db.pool import Connection
from ecluse.core.errors import Issue, Unprocessable
from fhir_server.terminology import compile as sql
from fhir_server.terminology import concepts
from fhir_server.terminology.compile import Wish
from fhir_server.terminology.composition import Composed, Json, Listed, Rows, System, parts_of, rows_of
from fhir_server.terminology.concepts import Added
from mappers.terminology.words import words, words_of

MOST = 10_000
"""Concepts that an expansion without `count` may have."""
OWN_LANGUAGE = "en"
"""Of a code system that names none."""
_QUALITY = re.compile(r"q=([01](?:\.[0-9]{1,3})?)")


@dataclass(frozen=True, slots=True)
class Asked:
    """The parameters of $expand that shape the list. designations: None for all, else languages and uses"""

    filter: str = ""
    offset: int = 0
    count: int | None = None
    active_only: bool = False
    designations: tuple[str, ...] | None = ()
    language: str = ""
    without_systems: tuple[tuple[str, str], ...] = ()


async def expansion(conn: Connection, composed: Composed, asked: Asked, parameters: Sequence[Json]) -> Json:
    """The expansion.

    Raises: Unprocessable (422, too-costly) when it is large and no page is asked for"""
    wish = Wish(tuple(words([asked.filter])), asked.active_only)
    sources = [rows for rows in map(lambda rows: _narrowed(rows, wish), rows_of(composed)) if _wanted(rows, asked)]
    each = [row["concepts"] for row in await conn.fetch(*_flat(sql.counts(composed, sources, wish)))] if sources else []
    total = sum(each)
    if asked.count is None and total - asked.offset > MOST:
        raise Unprocessable(issues=[_too_costly(total)])
    told: Json = {
        "identifier": f"urn:uuid:{clock.new_id()}",
        "timestamp": clock.instant_text(clock.now()),
        "total": total,
        "offset": asked.offset,
        "parameter": [*parameters, *used(composed)],
    }
    left, skipped = total if asked.count is None else asked.count, asked.offset
    contains: list[Json] = []
    for rows, count in zip(sources, each, strict=True):
        if left and skipped < count:
            found = await conn.fetch(*_flat(sql.page(composed, rows, wish, skipped, left)))
            own = {one.code: one for one in rows.named}
            more = await concepts.supplemented(conn, rows.known, [row["code"] for row in found])
            contains += [_entry(row, rows, own.get(row["code"]), more.get(row["code"]), asked) for row in found]
            left -= len(found)
        skipped = max(0, skipped - count)
    return {**told, "contains": contains} if contains else told


def used(composed: Composed) -> Iterator[Json]:
    """The versions that shaped the expansion, as its parameters."""
    systems = dict.fromkeys(part.known for part in parts_of(composed) if part.known)
    for system in systems:
        if system is not None and system.version:
            yield {"name": "version", "valueUri": system.canonical}
    imported = dict.fromkeys(other for part in parts_of(composed) for other in part.within)
    for other in imported:
        yield {"name": "used-valueset", "valueUri": other.canonical}


def display_of(display: str, designations: Sequence[Json], language: str, own: str = OWN_LANGUAGE) -> str:
    """The text in the language that is asked for, the usual one when there is none.

    language: as Accept-Language is written; own: that of the usual one"""
    for wanted in _languages(language):
        if wanted == "*" or _speaks(own, wanted):
            return display
        for exact in (True, False):
            for one in designations:
                given = str(one.get("language", "")).lower()
                if given == wanted or (not exact and _speaks(given, wanted)):
                    return str(one.get("value", ""))
    return display


def language_of(system: System | None) -> str:
    """The language of a code system's displays."""
    return str(system.header.get("language", OWN_LANGUAGE)) if system else OWN_LANGUAGE


def _languages(text: str) -> list[str]:
    """The languages of an Accept-Language header, the best first.

    Spec: https://www.rfc-editor.org/rfc/rfc9110#name-accept-language"""
    weighted: list[tuple[float, str]] = []
    for part in text.lower().split(","):
        language, _, quality = part.partition(";")
        found = _QUALITY.fullmatch(quality.strip())
        weighted.append((float(found[1]) if found else 1.0, language.strip()))
    return [language for weight, language in sorted(weighted, key=lambda one: -one[0]) if language and weight]


def _speaks(given: str, wanted: str) -> bool:
    """Whether two tags are of one language, whatever the region."""
    return given.lower().partition("-")[0] == wanted.partition("-")[0]


def _narrowed(rows: Rows, wish: Wish) -> Rows:
    """A list whose code system is not here, already under the filter: the database has no words of it."""
    if rows.known or not rows.is_list or not wish.words:
        return rows
    return replace(rows, named=tuple(one for one in rows.named if _has_words(one, wish.words)))


def _has_words(one: Listed, wanted: Sequence[str]) -> bool:
    own = words_of(one.code, one.display, one.designations)
    return all(any(word.startswith(each) for word in own) for each in wanted)


def _wanted(rows: Rows, asked: Asked) -> bool:
    version = rows.known.version if rows.known else ""
    return not any(rows.system == url and named in ("", version) for url, named in asked.without_systems)


def _entry(row: Any, rows: Rows, listed: Listed | None, more: Added | None, asked: Asked) -> Json:
    designations = [*(listed.designations if listed else ()), *concepts.listed(row["designation"])]
    designations = concepts.together(designations, more.designations if more else ())
    entry: Json = {"system": rows.system}
    if row["abstract"]:
        entry["abstract"] = True
    if row["inactive"]:
        entry["inactive"] = True
    if rows.known and rows.known.version:
        entry["version"] = rows.known.version
    entry["code"] = row["code"]
    display = display_of(
        (listed and listed.display) or row["display"] or "", designations, asked.language, language_of(rows.known)
    )
    if display:
        entry["display"] = display
    kept = [one for one in designations if _is_asked(one, asked.designations)]
    if kept:
        entry["designation"] = [{k: v for k, v in one.items() if k != "extension"} for one in kept]
    return entry


def _is_asked(designation: Json, wanted: tuple[str, ...] | None) -> bool:
    if wanted is None:
        return True
    use = designation.get("use", {})
    told = {designation.get("language", ""), use.get("code", ""), f"{use.get('system', '')}|{use.get('code', '')}"}
    told.add(f"urn:ietf:bcp:47|{designation.get('language', '')}")
    return bool(told & set(wanted))


def _too_costly(total: int) -> Issue:
    text = (
        f"The expansion has {total} concepts, more than {MOST}; ask for pages with count and offset, or narrow it with "
        "filter."
    )
    return Issue(text, code="too-costly")


def _flat(compiled: tuple[str, list[Any]]) -> tuple[Any, ...]:
    return (compiled[0], *compiled[1])

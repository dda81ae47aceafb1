"""Whether codes are in a value set: what validators ask.

Enters: a connection, a site, a value set's address and codings. Leaves: for each coding True, False, or None when it
cannot be told, with the reason. One statement a code system, however many codings.
Spec: http://hl7.org/fhir/R4/terminologies.html#strength
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import replace
from typing import Any, NamedTuple

from ecluse.core.db.pool import Connection
from ecluse.core.errors import EcluseError
from ecluse.core.fhir.code_systems import canonical
from ecluse.core.fhir.definitions.value_sets import GRAMMARS, is_member
from fhir_server.terminology import compile as sql
from fhir_server.terminology.compile import Wish
from fhir_server.terminology.composition import Composed, Part, Rows, rows_of
from fhir_server.terminology.concepts import lower
from fhir_server.terminology.planning import Planner


class Coding(NamedTuple):
    """A code to judge. system: "" when the element has none, as one of type code"""

    code: str
    system: str = ""
    display: str = ""
    version: str = ""


class Member(NamedTuple):
    """result: None when it cannot be told; reason: why not True; the rest as the code system has it"""

    result: bool | None
    reason: str = ""
    system: str = ""
    display: str = ""
    inactive: bool = False
    abstract: bool = False


async def membership(conn: Connection, site: int, value_set: str, codings: Sequence[Coding]) -> list[Member]:
    """Whether each coding is in the value set of this address, `url` or `url|version`."""
    if value_set.partition("|")[0] in GRAMMARS:
        return [_by_grammar(value_set, coding) for coding in codings]
    try:
        composed = await Planner(conn, site, lenient=True).value_set(value_set)
    except EcluseError as error:
        return [Member(None, str(error)) for _ in codings]
    return await members(conn, composed, codings)


async def members(conn: Connection, composed: Composed, codings: Sequence[Coding]) -> list[Member]:
    """Whether each coding is in this value set."""
    found: dict[tuple[str, str], Member] = {}
    sources = rows_of(composed)
    for rows in sources:
        asked = [one.code for one in codings if not one.system or canonical(one.system) == rows.system]
        if asked:
            found |= {(rows.system, code): one for code, one in (await _found(conn, composed, rows, asked)).items()}
    return [_judged(composed, sources, coding, found) for coding in codings]


async def _found(conn: Connection, composed: Composed, rows: Rows, codes: Sequence[str]) -> dict[str, Member]:
    """The codes of one source that are in the value set, as they were asked for."""
    loose = rows.known is not None and not rows.known.case_sensitive
    if rows.is_list:
        wanted = {lower(code) for code in codes}
        rows = replace(rows, named=tuple(one for one in rows.named if lower(one.code) in wanted))
    text, arguments = sql.members(composed, rows, Wish(codes=tuple(dict.fromkeys(codes))))
    found = {row["code"]: _member(rows, row) for row in await conn.fetch(text, *arguments)}
    if loose:
        found |= {code: one for code in codes for other, one in list(found.items()) if lower(other) == lower(code)}
    return found


def _member(rows: Rows, row: Any) -> Member:
    own = rows.own(row["code"])
    display = (own and own.display) or row["display"] or ""
    return Member(True, "", rows.system, display, bool(row["inactive"]), bool(row["abstract"]))


def _judged(
    composed: Composed, sources: Sequence[Rows], coding: Coding, found: dict[tuple[str, str], Member]
) -> Member:
    systems = [canonical(coding.system)] if coding.system else list(dict.fromkeys(rows.system for rows in sources))
    matching = [found[system, coding.code] for system in systems if (system, coding.code) in found]
    untold = [reason for system in systems or [""] for reason in _untold(composed, system)]
    untold += _untold(composed, "") if not systems else []
    if matching and not _untold_of(composed.excludes, matching[0].system):
        if len(matching) > 1:
            several = ", ".join(one.system for one in matching)
            return Member(False, f"{coding.code!r} is a code of several systems of the value set: {several}; name one.")
        return matching[0]
    if untold:
        return Member(None, untold[0])
    return Member(False, f"{told(coding)} is not in value set {composed.canonical or 'given'}.")


def told(coding: Coding) -> str:
    """The coding as a message names it."""
    return f"Code {coding.code!r} of {coding.system}" if coding.system else f"Code {coding.code!r}"


def _untold(composed: Composed, system: str) -> list[str]:
    return list(_untold_of((*composed.includes, *composed.excludes), system))


def _untold_of(parts: Iterable[Part], system: str) -> list[str]:
    """Why some part cannot say whether it has a code of this system."""
    return [reason for part in parts for reason in _reasons(part, system)]


def _reasons(part: Part, system: str) -> Iterator[str]:
    if part.system in ("", system):
        if part.untold:
            yield part.untold
        if part.known and not part.known.complete and part.listed is None:
            yield f"Only some concepts of {part.known.canonical} are here."
        for other in part.within:
            yield from _untold(other, system)


def _by_grammar(value_set: str, coding: Coding) -> Member:
    if is_member(value_set, coding.code, coding.system or None):
        return Member(True, "", coding.system or GRAMMARS[value_set.partition("|")[0]][0])
    return Member(False, f"{told(coding)} is not one of {value_set}.")

"""$validate-code, of a code system and of a value set: one verdict, with a message that says what would be right.

Enters: codings and what they are held against. Leaves: a `Verdict`.
Spec: http://hl7.org/fhir/R4/codesystem-operation-validate-code.html,
http://hl7.org/fhir/R4/valueset-operation-validate-code.html
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

from ecluse.core.db.pool import Connection
from ecluse.core.errors import EcluseError
from ecluse.core.fhir.code_systems import canonical
from ecluse.core.fhir.definitions.value_sets import GRAMMARS
from fhir_server.terminology import concepts
from fhir_server.terminology.composition import Composed, System
from fhir_server.terminology.concepts import Found
from fhir_server.terminology.expanding import display_of, language_of
from fhir_server.terminology.membership import Coding, Member, members, told
from fhir_server.terminology.planning import Planner
from mappers.search.string import normalise

BY_SYSTEM = dict(GRAMMARS.values())
"""Code systems whose codes are a language and no list."""


class Verdict(NamedTuple):
    """message: what is wrong, or a hint when nothing is; display: a right one"""

    result: bool
    message: str = ""
    display: str = ""


class Manner(NamedTuple):
    """How to judge. abstract: whether an abstract concept will do; language: of the displays"""

    abstract: bool = True
    language: str = ""


async def in_system(conn: Connection, system: System, coding: Coding, manner: Manner) -> Verdict:
    """Whether the code system has the code, under that display."""
    found = await concepts.lookup(conn, system, coding.code)
    if found is None:
        return Verdict(False, await _unknown(conn, system, coding))
    return _judged(system, found, coding, manner)


async def in_value_set(
    planner: Planner, composed: Composed, codings: Sequence[Coding], manner: Manner
) -> list[Verdict]:
    """A verdict for each coding."""
    found = await members(planner.conn, composed, codings)
    return [await _member(planner, one, coding, manner) for one, coding in zip(found, codings, strict=True)]


def together(verdicts: Sequence[Verdict]) -> Verdict:
    """The verdict on a CodeableConcept: one coding that holds is enough."""
    right = next((one for one in verdicts if one.result), None)
    wrong = " ".join(one.message for one in verdicts if not one.result)
    if right is None:
        display = verdicts[0].display if len(verdicts) == 1 else ""
        return Verdict(False, wrong or "The CodeableConcept has no coding; add one with system and code.", display)
    return right._replace(message=" ".join(part for part in (right.message, wrong) if part))


async def _member(planner: Planner, member: Member, coding: Coding, manner: Manner) -> Verdict:
    system = await _system(planner, member.system or coding.system, coding.version)
    if not member.result:
        hint = ""
        if system is not None and await concepts.lookup(planner.conn, system, coding.code) is None:
            hint = await _unknown(planner.conn, system, coding)
        return Verdict(False, " ".join(part for part in (member.reason, hint) if part))
    if system is not None:
        found = await concepts.lookup(planner.conn, system, coding.code)
        if found is not None:
            own = found._replace(display=member.display or found.display)
            return _judged(system, own, coding, manner, found.display)
    if coding.display and member.display and not _same(coding.display, member.display):
        return Verdict(False, _wrong(coding, [member.display]), member.display)
    return Verdict(True, "", member.display)


async def _system(planner: Planner, url: str, version: str) -> System | None:
    try:
        return await planner.system(url, version) if url else None
    except EcluseError:
        return None


def _judged(system: System, found: Found, coding: Coding, manner: Manner, *displays: str) -> Verdict:
    display = display_of(found.display, found.designations, manner.language, language_of(system))
    if found.abstract and not manner.abstract:
        return Verdict(False, f"{told(coding)} is abstract; use one of the codes below it.", display)
    right = [display, found.display, *displays, *(str(one.get("value", "")) for one in found.designations)]
    if coding.display and not any(_same(coding.display, one) for one in right):
        return Verdict(False, _wrong(coding, right), display)
    hint = f"{told(coding)} is inactive." if found.inactive else ""
    if found.code != coding.code:
        hint = f"{hint} The code system writes it {found.code!r}.".strip()
    return Verdict(True, hint, display)


def _same(one: str, other: str) -> bool:
    return normalise(one) == normalise(other)


def _wrong(coding: Coding, right: Sequence[str]) -> str:
    shown = ", ".join(repr(one) for one in list(dict.fromkeys(filter(None, right)))[:5])
    return f"{coding.display!r} is not a display of {told(coding)[0].lower()}{told(coding)[1:]}; right: {shown}."


async def _unknown(conn: Connection, system: System, coding: Coding) -> str:
    near = await concepts.resembling(conn, system, coding.code)
    hint = f"; did you mean {' or '.join(near)}?" if near else "."
    part = "" if system.complete else " (only some of its concepts are here)"
    return f"{coding.code!r} is no code of {system.canonical}{part}{hint}"


def by_grammar(system: str, coding: Coding) -> Verdict | None:
    """The verdict on a code of a system that has a grammar and no list, None for others."""
    grammar = BY_SYSTEM.get(canonical(system))
    if grammar is None:
        return None
    if grammar.fullmatch(coding.code):
        return Verdict(True)
    return Verdict(False, f"{coding.code!r} is no code of {system}: it does not have that form.")

"""`_include` and `_revinclude`: what comes with the matches.

Enters: name and text of one such parameter. Leaves: an `Include`, or what is wrong with it.
Spec: http://hl7.org/fhir/R4/search.html#revinclude
"""

from __future__ import annotations

from collections.abc import Sequence
from difflib import get_close_matches

from ecluse.core.errors import BadRequest
from ecluse.core.fhir.types import number_of
from fhir_server.http.query import nearest
from fhir_server.search.asked import NotServed
from mappers.search.includes import EVERY, Include, references
from mappers.search.registry import Registry

INCLUDES = ("_include", "_revinclude")


def include(types: Sequence[str], name: str, text: str, registry: Registry) -> Include:
    """What one parameter asks for. types: those that are searched

    Raises: BadRequest (400) when it is written wrongly or can never include anything, NotServed for a parameter that
    the type has not"""
    code, _, modifier = name.partition(":")
    if modifier not in ("", "iterate"):
        advice = "R4 calls it :iterate" if modifier == "recurse" else "its only modifier is :iterate"
        raise _wrong(name, text, f"{advice}; write {code}:iterate={text[:80]}.")
    source, parameter, target, *more = [*text.split(":"), EVERY, EVERY][: max(3, text.count(":") + 1)]
    whole = text == EVERY or (":" in text and source != EVERY)
    if more or "," in text or not (whole and source and parameter and target):
        raise _wrong(name, text, "write Type:parameter, Type:parameter:TargetType, Type:* or *, once for each.")
    found = Include(code == "_revinclude", modifier == "iterate", source, parameter, target)
    for kind in (source, target):
        _check_type(name, text, kind)
    if source != EVERY:
        _check_parameter(found, name, text, registry)
    if not found.iterate:
        _check_reaches(found, types, name, text, registry)
    return found


def _check_type(name: str, text: str, kind: str) -> None:
    if kind != EVERY and kind not in number_of:
        near = get_close_matches(kind, number_of, 1)
        hint = f"; did you mean {near[0]}?" if near else "."
        raise _wrong(name, text, f"FHIR R4 has no resource type {kind[:80]}{hint}")


def _check_parameter(asked: Include, name: str, text: str, registry: Registry) -> None:
    known = {one.code: one for one in references(asked.type, registry)}
    if asked.code != EVERY and asked.code not in known:
        near = nearest(asked.code, known)
        raise NotServed(
            f"{name}={text[:80]}: {asked.type} has no reference parameter {asked.code[:80]};"
            f" valid, nearest first: {', '.join(near) or 'none'}."
        )
    targets = known[asked.code].targets if asked.code != EVERY else ()
    if asked.target != EVERY and targets and asked.target not in targets:
        raise _wrong(name, text, f"{asked.type}:{asked.code} points to {', '.join(targets)}.")


def _check_reaches(asked: Include, types: Sequence[str], name: str, text: str, registry: Registry) -> None:
    """Nothing, when references of the matches, or to them, can be followed."""
    searched = " or ".join(types[:5])
    again = f"for what other includes bring, write {name}:iterate={text[:80]}."
    if not asked.reverse and asked.type not in (EVERY, *types):
        raise _wrong(name, text, f"the search is for {searched}, whose references _include follows; {again}")
    if asked.reverse and asked.type != EVERY and asked.code != EVERY:
        targets = registry.served(asked.type)[asked.code].targets
        if (targets and not set(targets) & set(types)) or asked.target not in (EVERY, *types):
            raise _wrong(name, text, f"it does not lead to {searched}, which is searched; {again}")


def _wrong(name: str, text: str, advice: str) -> BadRequest:
    return BadRequest(f"{name}: {advice}", diagnostics=f'found "{text[:80]}"')

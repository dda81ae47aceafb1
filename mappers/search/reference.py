"""Reference parameters: who points to whom.

Enters: a value of a resource, or the text of a query. Leaves: rows, or the same targets to look for. A relative
reference is a type and an id, its version left out; every other address is kept whole, under type 0. Links to contained
resources leave no row. An identifier that stands in a reference has a row among the tokens, under the same path, with a
mark in its `item` of the type that the reference beside it leads to, or that the `type` of one without address tells.
Spec: http://hl7.org/fhir/R4/search.html#reference
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from functools import cache, lru_cache
from typing import Any

from ecluse.core.fhir.definitions.indexed import ends_of
from ecluse.core.fhir.definitions.search_parameters import IndexedPath, paths_of
from ecluse.core.fhir.types import name_of, number_of
from mappers.search import token, uri
from mappers.search.question import Address, Branch, Question, Target, Under, Value, plain, refused
from mappers.search.rows import LONGEST, IndexRows, Reader, Visit, limited

ELSEWHERE = 0
"""The target type of an address that is not in this server."""

_ID = re.compile(r"[A-Za-z0-9.-]{1,64}")


def normalise(text: str) -> tuple[int, str]:
    """(number of the target's type, its id), or (0, the whole address)."""
    return _remembered(text) if len(text) <= LONGEST else _target(text)


def _target(text: str) -> tuple[int, str]:
    name, _, rest = text.partition("/")
    number = number_of.get(name, ELSEWHERE)
    target, _, version = rest.partition("/")
    if number and target and (not version or version.startswith("_history/")):
        return number, limited(target)
    return ELSEWHERE, limited(text)


_remembered = lru_cache(maxsize=8192)(_target)


def marks(types: Sequence[int]) -> tuple[int, ...]:
    """The items of identifiers that may be of a target of one of these types."""
    return tuple(-number for number in types)


def canonical(text: str) -> tuple[str, ...]:
    """The texts under which a canonical address is found: without its version, and as written."""
    address, bar, _ = text.partition("|")
    return (limited(address), limited(text)) if bar and address else (limited(text),)


def _reference(path: int) -> Visit:
    identifier = token.plain_identifier(path)

    def visit(value: dict[str, Any], rows: IndexRows) -> None:
        text, kind = value.get("reference"), ELSEWHERE
        if text and text[0] != "#":
            kind, target = normalise(text)
            rows[1].append((path, 0, kind, target))
        if (known_as := value.get("identifier")) is not None:
            own = len(rows[0])
            identifier(known_as, rows)
            kind = kind if text else number_of.get(value.get("type", ""), ELSEWHERE)
            if kind:
                rows[0][own:] = [(path, -kind, *row[2:]) for row in rows[0][own:]]

    return visit


def _canonical(path: int) -> Visit:
    def visit(value: str, rows: IndexRows) -> None:
        if value[:1] != "#":
            rows[1].extend((path, 0, ELSEWHERE, text) for text in canonical(value))

    return visit


READERS: dict[str, Reader] = {"Reference": _reference, "canonical": _canonical, "uri": _canonical}


def asked(text: str, question: Question) -> list[Value]:
    """What `id`, `Type/id` or an address looks for.

    A resource of this server may have been referred to by its full address too.
    Raises: BadRequest (400) when the text is none of these, or of a type that the parameter does not point to"""
    text = plain(text)
    if are_addresses(question.paths):
        return [Target((ELSEWHERE,), limited(text))]
    local = text.removeprefix(f"{question.base}/") if question.base else text
    if ":" in local:
        return [Target((ELSEWHERE,), limited(local))]
    allowed = question.parameter.targets
    if _ID.fullmatch(local):
        return [Target(tuple(number_of[name] for name in allowed), local)]
    number, target = normalise(local)
    if number == ELSEWHERE or not _ID.fullmatch(target) or (allowed and name_of[number] not in allowed):
        raise refused(question, text, f"write id, Type/id or an address; the type is {_listed(allowed)}.")
    elsewhere = [Target((ELSEWHERE,), limited(f"{question.base}/{name_of[number]}/{target}"))] if question.base else []
    return [Target((number,), target), *elsewhere]


def asked_above(text: str, question: Question) -> list[Value]:
    """The resource, and those that it is part of: `Type/id`, or `id` where the parameter points to one such type."""
    return _branch(text, question, above=True)


def asked_below(text: str, question: Question) -> list[Value]:
    """The resource, and those that are part of it; of a canonical address its versions and what goes on after it."""
    return _branch(text, question, above=False)


def _branch(text: str, question: Question, *, above: bool) -> list[Value]:
    """Raises: BadRequest (400) when the text names no resource of a type that has parts"""
    if are_addresses(question.paths):
        return _addresses(text, question, above=above)
    local = plain(text).removeprefix(f"{question.base}/") if question.base else plain(text)
    allowed = [name for name in question.parameter.targets or number_of if part_of(name)]
    name, slash, target = local.partition("/")
    named = [name] if slash else allowed
    own = target if slash else name
    if len(named) != 1 or named[0] not in allowed or not _ID.fullmatch(own):
        raise refused(question, text, f"write Type/id; types with parts: {', '.join(allowed) or 'none'}.")
    return [Branch(above, number_of[named[0]], own)]


def _addresses(text: str, question: Question, *, above: bool) -> list[Value]:
    """The same as of a uri, among the rows of references."""
    found = uri.asked_above(text, question) if above else uri.asked_below(text, question)
    return [
        Target((ELSEWHERE,), value.text) if isinstance(value, Address) else value._replace(column="target_id")
        for value in found
        if isinstance(value, Address | Under)
    ]


@cache
def part_of(resource_type: str) -> int:
    """The path by which a resource is part of another one of its type; 0 when none can be."""
    for path in paths_of(resource_type):
        if path.kind == "reference" and path.text == f"{resource_type}.partOf":
            return path.number if any(resource_type in end.targets for end in ends_of(path)) else 0
    return 0


def _listed(allowed: tuple[str, ...]) -> str:
    return ", ".join(allowed[:-1]) + " or " + allowed[-1] if len(allowed) > 1 else allowed[0] if allowed else "any"


@cache
def are_addresses(paths: tuple[IndexedPath, ...]) -> bool:
    """Whether all that the paths lead to are canonical addresses and uris."""
    kinds = {end.kind for path in paths for end in ends_of(path)}
    return "Reference" not in kinds

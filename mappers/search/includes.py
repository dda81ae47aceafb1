"""Includes as data, and the references along which they lead.

Enters: an include, and the types whose references may be looked at. Leaves: paths, of the type that refers, with the
type of what is referred to.
Spec: http://hl7.org/fhir/R4/search.html#revinclude
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import NamedTuple

from ecluse.core.fhir.types import number_of
from mappers.search.registry import Parameter, Registry

EVERY = "*"


class Include(NamedTuple):
    """References that are followed. reverse: from their targets; iterate: also those of what was included; type: whose
    references, code: of which parameter, target: to what; `*` for every one."""

    reverse: bool
    iterate: bool
    type: str
    code: str
    target: str


class Wish(NamedTuple):
    """One path along which is followed. source: number of the type that refers; target: of what it refers to, 0 for
    any."""

    source: int
    path: int
    target: int


def references(resource_type: str, registry: Registry) -> list[Parameter]:
    """The parameters of a type that can be followed."""
    return [one for one in registry.served(resource_type).values() if one.type == "reference" and one.paths]


def wishes(asked: Include, sources: Iterable[str], registry: Registry) -> Iterator[Wish]:
    """The paths of an include. sources: the types whose references may be looked at"""
    for kind in sources:
        if asked.type in (EVERY, kind):
            for one in references(kind, registry):
                if asked.code in (EVERY, one.code):
                    yield from _of_parameter(asked, number_of[kind], one)


def _of_parameter(asked: Include, source: int, parameter: Parameter) -> Iterator[Wish]:
    if asked.target != EVERY:
        targets = [number_of[asked.target]] if not parameter.targets or asked.target in parameter.targets else []
    else:
        targets = [number_of[name] for name in parameter.targets] or [0]
    return (Wish(source, path, target) for path in parameter.paths for target in targets)

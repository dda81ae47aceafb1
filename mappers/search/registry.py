"""The search parameters that are served, and why the others are not.

Enters: a resource type and a code. Leaves: parameters, or reasons. R4's own are the same everywhere; those made at run
time are each site's, and change: a `Registry` is what holds for one site at one moment.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import cache
from itertools import chain
from typing import NamedTuple
from urllib.parse import unquote_plus

from ecluse.core.fhir.definitions.search_parameters import IndexedPath, Parameter, parameters, paths
from mappers.search.composite import Context, contexts
from mappers.search.evaluated import visit_of
from mappers.search.not_indexed import GENERAL, PARAMETERS
from mappers.search.rows import Visit

__all__ = ["BUILT_IN", "Parameter", "Registry", "Unique", "reason_against", "searchable", "served"]


class Unique(NamedTuple):
    """A parameter whose values no two resources of a type may share. name: what to call it; paths: whose tokens are
    meant"""

    parameter: int
    name: str
    paths: frozenset[int]


@dataclass(frozen=True, slots=True, eq=False)
class Registry:
    """What one site can be searched by at one moment, and what is indexed there; never changed once it is made.

    generation: counts the changes of parameters made at run time; made: those that are active, by type and code;
    waiting: type → code → why one of them is not served yet; paths: what is indexed for them beside R4's own, also for
    those that are being built; unique: by type, what no two resources may have in common; composites: the contexts of
    active composites among them, by type and code
    """

    generation: int = 0
    made: Mapping[str, Mapping[str, Parameter]] = field(default_factory=dict)
    waiting: Mapping[str, Mapping[str, str]] = field(default_factory=dict)
    paths: Mapping[int, IndexedPath] = field(default_factory=dict)
    unique: Mapping[str, tuple[Unique, ...]] = field(default_factory=dict)
    composites: Mapping[str, Mapping[str, tuple[Context, ...]]] = field(default_factory=dict)
    _visits: dict[str, Visit | None] = field(default_factory=dict)

    def served(self, resource_type: str) -> Mapping[str, Parameter]:
        """The parameters that a search of this type may use, by code."""
        made = self.made.get(resource_type)
        return {**served(resource_type), **made} if made else served(resource_type)

    def reason_against(self, resource_type: str, code: str) -> str:
        """Why a parameter is not served; empty when it is, or when nobody defined it."""
        return self.waiting.get(resource_type, {}).get(code) or reason_against(resource_type, code)

    def may_be_named_in(self, text: str) -> bool:
        """Whether the text of a search, escaped or not, may mean a parameter that was made at run time; `*` means
        any."""
        return _names_one(text, self.made, "*")

    def may_be_awaited_in(self, text: str) -> bool:
        """Whether it may mean one that is not served yet."""
        return _names_one(text, self.waiting)

    def contexts(self, resource_type: str, code: str) -> tuple[Context, ...]:
        """The contexts of a composite parameter."""
        own = self.composites.get(resource_type, {}).get(code)
        return contexts(resource_type, code) if own is None else own

    def path(self, number: int) -> IndexedPath:
        """The path of a number."""
        return self.paths.get(number) or paths()[number]

    def visit(self, resource_type: str) -> Visit | None:
        """What takes the index rows of paths made at run time, None when this type has none."""
        if not self.paths:
            return None
        if resource_type not in self._visits:
            own = [path for path in self.paths.values() if path.resource_type == resource_type]
            self._visits[resource_type] = visit_of(resource_type, own) if own else None
        return self._visits[resource_type]


def _names_one(text: str, by_type: Mapping[str, Mapping[str, object]], *others: str) -> bool:
    if not by_type:
        return False
    plain = unquote_plus(text)
    return any(code in plain for code in chain(others, *by_type.values()))


BUILT_IN = Registry()
"""R4's parameters, and nothing beside them."""


@cache
def served(resource_type: str) -> dict[str, Parameter]:
    """The parameters of R4 that a search of this type may use, by code."""
    found = parameters(resource_type)
    return {code: parameter for code, parameter in found.items() if not reason_against(resource_type, code)}


def searchable(resource_type: str) -> tuple[Parameter, ...]:
    """The same, as the CapabilityStatement lists them."""
    return tuple(served(resource_type).values())


def reason_against(resource_type: str, code: str) -> str:
    """Why a parameter is not served; empty when it is, or when R4 has no such parameter."""
    if code in GENERAL:
        return GENERAL[code]
    parameter = parameters(resource_type).get(code)
    if parameter is None:
        return ""
    return PARAMETERS.get(f"{resource_type}.{code}", "")

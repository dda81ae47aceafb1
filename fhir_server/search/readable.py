"""Conditions in words.

Enters: a condition as it was understood. Leaves: a line of text; how many values there are, and not which.
"""

from __future__ import annotations

from fhir_server.search.query import (
    Addressed,
    Addressing,
    AllOf,
    AnyOf,
    Clause,
    Condition,
    Joined,
    Linked,
    Linking,
    Missing,
    Not,
)
from mappers.search.registry import Registry


def readable(condition: Condition, registry: Registry) -> str:
    """What the condition asks of a resource."""
    match condition:
        case Clause(code, kind, paths, values):
            where = f" under {_paths(paths, registry)}" if paths else ""
            return f"{code}: {kind}{where} is one of {len(values)} value{'s' * (len(values) != 1)}"
        case Joined(code, clauses):
            return f"{code}: one item with {_all(clauses, registry, ' and ')}"
        case Missing(code, _, paths):
            return f"{code}: nothing under {_paths(paths, registry)}"
        case Linked(code, paths, kind, inner) | Addressed(code, paths, kind, inner):
            return f"{code}: {_paths(paths, registry)} leads to a {kind} with {_all(inner, registry, ' and ')}"
        case Linking(code, kind, paths, inner) | Addressing(code, kind, paths, inner):
            return f"{code}: a {kind} refers to it by {_paths(paths, registry)} with {_all(inner, registry, ' and ')}"
        case AllOf(_, inner):
            return _all(inner, registry, " and ")
        case AnyOf(_, inner):
            return _all(inner, registry, " or ") or "nothing"
        case Not(_, one):
            return f"not {readable(one, registry)}"


def _all(inner: tuple[Condition, ...] | tuple[Clause, ...], registry: Registry, word: str) -> str:
    found = word.join(readable(one, registry) for one in inner)
    return f"({found})" if len(inner) > 1 else found


def _paths(paths: tuple[int, ...], registry: Registry) -> str:
    return " or ".join(registry.path(number).text for number in paths)

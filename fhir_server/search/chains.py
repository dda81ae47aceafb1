"""Chains along references that a resource has once: what is asked of their target is asked of one and the same.

Enters: the conditions of a search. Leaves: chains put together, and the order that one gives the results.
Spec: http://hl7.org/fhir/R4/search.html#chaining
"""

from __future__ import annotations

from collections.abc import Sequence

from ecluse.core.fhir.types import number_of
from fhir_server.search.query import Condition, Linked, Sort
from fhir_server.search.tree import WORTH, likely
from fhir_server.search.values import is_one_row
from mappers.search.registry import Registry


def together(conditions: Sequence[Condition], registry: Registry) -> list[Condition]:
    """The conditions; `patient.name=x` and `patient.gender=y` are one chain with both, so that the rarer one leads."""
    found: list[Condition] = []
    places: dict[tuple[tuple[int, ...], str], int] = {}
    for one in conditions:
        if not isinstance(one, Linked) or not _is_single(one, registry):
            found.append(one)
            continue
        place = places.setdefault((one.paths, one.type), len(found))
        if place == len(found):
            found.append(one)
        else:
            earlier = found[place]
            assert isinstance(earlier, Linked)
            inner = together([*earlier.conditions, *one.conditions], registry)
            found[place] = earlier._replace(conditions=tuple(inner))
    return found


def order_along(conditions: Sequence[Condition], registry: Registry) -> tuple[Sort, ...]:
    """The order that a chain gives results, when no other is asked for: by what the first one leads to, so that a page
    ends after the first few targets, however many there are; none where almost all targets match."""
    for one in conditions:
        if isinstance(one, Linked) and likely([one]) <= WORTH and _is_single(one, registry):
            return (Sort("reference", paths=one.paths, types=(number_of[one.type],)),)
    return ()


def _is_single(chain: Linked, registry: Registry) -> bool:
    return is_one_row(list(map(registry.path, chain.paths)))

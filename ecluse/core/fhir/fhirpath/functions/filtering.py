"""Functions that choose, project, combine and walk.

Spec: http://hl7.org/fhirpath/N1/#filtering-and-projection, #subsetting, #combining, #tree-navigation
"""

from __future__ import annotations

from ecluse.core.fhir.fhirpath import nodes
from ecluse.core.fhir.fhirpath.equality import key
from ecluse.core.fhir.fhirpath.failures import FhirPathError
from ecluse.core.fhir.fhirpath.functions.existence import distinct
from ecluse.core.fhir.fhirpath.functions.registry import (
    MOST_ITEMS,
    Evaluate,
    Items,
    Step,
    made_of_arguments,
    of_items,
    of_items_and_others,
    single,
    truth,
    whole,
)
from ecluse.core.fhir.fhirpath.nodes import Node
from ecluse.core.fhir.fhirpath.scope import Scope


@made_of_arguments("where", 1)
def where(criteria: Evaluate) -> Step:
    """The items that meet the criteria."""

    def step(items: Items, scope: Scope) -> Items:
        if not items:
            return items
        inner = Scope(scope.evaluation, [], 0, scope.total)
        found: Items = []
        for index, item in enumerate(items):
            inner.this, inner.index = [item], index
            if truth(criteria(inner)):
                found.append(item)
        return found

    return step


@made_of_arguments("select", 1)
def select(projection: Evaluate) -> Step:
    """What the projection makes of each item."""

    def step(items: Items, scope: Scope) -> Items:
        inner = Scope(scope.evaluation, [], 0, scope.total)
        found: Items = []
        for index, item in enumerate(items):
            inner.this, inner.index = [item], index
            found.extend(projection(inner))
            _check_size(found)
        return found

    return step


@made_of_arguments("repeat", 1)
def repeat(projection: Evaluate) -> Step:
    """What the projection makes of each item, and of what comes of it, each item once."""

    def step(items: Items, scope: Scope) -> Items:
        inner = Scope(scope.evaluation, [], 0, scope.total)
        found: Items = []
        seen = set()
        waiting = list(items)
        while waiting:
            following: Items = []
            for index, item in enumerate(waiting):
                inner.this, inner.index = [item], index
                for one in projection(inner):
                    mark = one.location if type(one) is Node else key(one)
                    if mark not in seen:
                        seen.add(mark)
                        following.append(one)
            found.extend(following)
            _check_size(found)
            waiting = following
        return found

    return step


@made_of_arguments("aggregate", 1, 2)
def aggregate(aggregator: Evaluate, start: Evaluate | None = None) -> Step:
    """What the aggregator makes of `$total` and each item in turn."""

    def step(items: Items, scope: Scope) -> Items:
        inner = Scope(scope.evaluation, [], 0, start(scope) if start else [])
        for index, item in enumerate(items):
            inner.this, inner.index = [item], index
            inner.total = aggregator(inner)
            _check_size(inner.total)
        return inner.total

    return step


@made_of_arguments("iif", 2, 3)
def iif(criterion: Evaluate, yes: Evaluate, no: Evaluate | None = None) -> Step:
    """The second argument when the first is true, else the third."""

    def step(items: Items, scope: Scope) -> Items:
        if len(items) > 1:
            raise FhirPathError(f"iif takes a single item, not {len(items)}: use select(iif(...)).")
        inner = Scope(scope.evaluation, items, scope.index, scope.total)
        if single(criterion(inner), "The condition of iif", (bool,)):
            return yes(inner)
        return no(inner) if no else []

    return step


@made_of_arguments("trace", 1, 2)
def trace(name: Evaluate, projection: Evaluate | None = None) -> Step:
    """The input itself, which the caller gets to see."""

    def step(items: Items, scope: Scope) -> Items:
        if (tell := scope.evaluation.given.trace) is not None:
            shown = select(projection)(items, scope) if projection else items
            tell(str((name(scope) or [""])[0]), shown)
        return items

    return step


@of_items("first")
def first(items: Items) -> Items:
    """The first item."""
    return items[:1]


@of_items("last")
def last(items: Items) -> Items:
    """The last item."""
    return items[-1:]


@of_items("tail")
def tail(items: Items) -> Items:
    """All but the first item."""
    return items[1:]


@of_items("single")
def single_item(items: Items) -> Items:
    """The only item.

    Raises: FhirPathError (400) when there are several"""
    if len(items) > 1:
        raise FhirPathError(f"single() found {len(items)} items.")
    return items


@made_of_arguments("skip", 1)
def skip(number: Evaluate) -> Step:
    """All but the first so many."""
    return lambda items, scope: items[max(0, whole(number(scope), "skip") or 0) :]


@made_of_arguments("take", 1)
def take(number: Evaluate) -> Step:
    """The first so many."""
    return lambda items, scope: items[: max(0, whole(number(scope), "take") or 0)]


@of_items_and_others("union")
def union(items: Items, others: Items) -> Items:
    """All items of both, without repetition."""
    return distinct(items + others)


@of_items_and_others("combine")
def combine(items: Items, others: Items) -> Items:
    """All items of both."""
    return items + others


@of_items_and_others("intersect")
def intersect(items: Items, others: Items) -> Items:
    """What is in both, without repetition."""
    wanted = {key(other) for other in others}
    return distinct([item for item in items if key(item) in wanted])


@of_items_and_others("exclude")
def exclude(items: Items, others: Items) -> Items:
    """What is not among the others."""
    unwanted = {key(other) for other in others}
    return [item for item in items if key(item) not in unwanted]


@of_items("children")
def children(items: Items) -> Items:
    """All elements right below."""
    return [child for item in items if type(item) is Node for child in nodes.children(item)]


@made_of_arguments("descendants", 0)
def descendants() -> Step:
    """All elements below."""

    def step(items: Items, scope: Scope) -> Items:
        found = scope.evaluation.descendants
        return [one for item in items if type(item) is Node for one in found(item)]

    return step


def _check_size(items: Items) -> None:
    if len(items) > MOST_ITEMS:
        raise FhirPathError(f"The expression makes more than {MOST_ITEMS} items.")

"""Functions that ask what is there.

Spec: http://hl7.org/fhirpath/N1/#existence
"""

from __future__ import annotations

from collections.abc import Hashable
from decimal import Decimal

from ecluse.core.fhir.fhirpath.equality import key
from ecluse.core.fhir.fhirpath.functions.registry import (
    Evaluate,
    Items,
    Step,
    made_of_arguments,
    of_items,
    of_items_and_others,
    single,
    truth,
)
from ecluse.core.fhir.fhirpath.nodes import Item, system
from ecluse.core.fhir.fhirpath.scope import Scope
from ecluse.core.fhir.fhirpath.temporal import Temporal

_VALUES = (str, bool, int, Decimal, Temporal)


@of_items("empty")
def empty(items: Items) -> Items:
    """Whether there is nothing."""
    return [not items]


@of_items("count")
def count(items: Items) -> Items:
    """How many."""
    return [len(items)]


@of_items("not")
def negation(items: Items) -> Items:
    """The opposite of one truth value."""
    value = truth(items)
    return [] if value is None else [not value]


@made_of_arguments("exists", 0, 1)
def exists(criteria: Evaluate | None = None) -> Step:
    """Whether there is something, or something that meets the criteria."""
    if criteria is None:
        return lambda items, scope: [bool(items)]

    def step(items: Items, scope: Scope) -> Items:
        inner = Scope(scope.evaluation, [], 0, scope.total)
        for index, item in enumerate(items):
            inner.this, inner.index = [item], index
            if truth(criteria(inner)):
                return [True]
        return [False]

    return step


@made_of_arguments("all", 1)
def every(criteria: Evaluate) -> Step:
    """Whether all items meet the criteria."""

    def step(items: Items, scope: Scope) -> Items:
        inner = Scope(scope.evaluation, [], 0, scope.total)
        for index, item in enumerate(items):
            inner.this, inner.index = [item], index
            if not truth(criteria(inner)):
                return [False]
        return [True]

    return step


def _values(items: Items, name: str) -> list[bool]:
    return [single([item], name, (bool,)) for item in items]


@of_items("allTrue")
def all_true(items: Items) -> Items:
    """Whether no item is false."""
    return [all(_values(items, "allTrue()"))]


@of_items("anyTrue")
def any_true(items: Items) -> Items:
    """Whether one item is true."""
    return [any(_values(items, "anyTrue()"))]


@of_items("allFalse")
def all_false(items: Items) -> Items:
    """Whether no item is true."""
    return [not any(_values(items, "allFalse()"))]


@of_items("anyFalse")
def any_false(items: Items) -> Items:
    """Whether one item is false."""
    return [not all(_values(items, "anyFalse()"))]


@of_items_and_others("subsetOf")
def subset_of(items: Items, others: Items) -> Items:
    """Whether all items are among the others."""
    return [{key(item) for item in items} <= {key(other) for other in others}]


@of_items_and_others("supersetOf")
def superset_of(items: Items, others: Items) -> Items:
    """Whether all others are among the items."""
    return subset_of(others, items)


@of_items("distinct")
def distinct(items: Items) -> Items:
    """The items without repetition."""
    found: dict[Hashable, Item] = {}
    for item in items:
        found.setdefault(key(item), item)
    return list(found.values())


@of_items("isDistinct")
def is_distinct(items: Items) -> Items:
    """Whether no item stands twice."""
    return [len({key(item) for item in items}) == len(items)]


@of_items("hasValue")
def has_value(items: Items) -> Items:
    """Whether there is one primitive that has a value and not only extensions.

    Spec: http://hl7.org/fhir/R4/fhirpath.html#functions"""
    return [len(items) == 1 and type(system(items[0])) in _VALUES]


@of_items("getValue")
def get_value(items: Items) -> Items:
    """The value of one primitive, as its System type."""
    return [system(items[0])] if has_value(items)[0] else []

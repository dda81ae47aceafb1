"""The order of results.

Enters: matching resources in the order of their creation, and the text of `_sort`. Leaves: the same ones in order.
Spec: http://hl7.org/fhir/R4/search.html#sort

Where the specification leaves a choice: of several values the one that comes first in the asked order counts; without
a value a resource comes last, whichever the direction; equal ones come in the order of their creation, or the last one
first when the first key is `-key`. Codes, and the ids that references lead to, are compared as texts, strings folded,
those of token parameters without case, dates by their first instant.
"""

from __future__ import annotations

from functools import cmp_to_key
from typing import Any

from tests.property.search.definitions import Parameter, Resource, Value, parameters
from tests.property.search.numbers import amounts, in_base_unit
from tests.property.search.ranges import dates
from tests.property.search.texts import folded, strings
from tests.property.search.tokens import codes, target
from tests.property.search.units import canonical
from tests.property.search.world import World


def in_order(world: World, resource_type: str, found: list[Resource], asked: str) -> list[Resource]:
    """Resources by the keys of `_sort`, the first one first."""
    ordered = found[::-1] if asked.startswith("-") else list(found)
    for key in reversed(asked.split(",") if asked else []):
        parameter, descending = parameters(resource_type)[key.removeprefix("-")], key.startswith("-")
        firsts = {each["id"]: _first(world, each, parameter, descending) for each in ordered}

        def compared(one: Resource, other: Resource, firsts: Any = firsts, descending: bool = descending) -> int:
            a, b = firsts[one["id"]], firsts[other["id"]]
            if a is None or b is None:
                return (a is None) - (b is None)
            return ((a > b) - (a < b)) * (-1 if descending else 1)

        ordered.sort(key=cmp_to_key(compared))
    return ordered


def _first(world: World, resource: Resource, parameter: Parameter, descending: bool) -> Any:
    found = [key for value in world.values(resource, parameter) for key in _keys(parameter, value)]
    return (max if descending else min)(found) if found else None


def _keys(parameter: Parameter, value: Value) -> list[Any]:
    """What a value is sorted by."""
    match parameter.type:
        case "string":
            return [folded(text) for text in strings(value)]
        case "token":
            found = [one for one in codes(value) if one.code or one.system]
            return [one.code.casefold() if one.caseless and not one.system else one.code for one in found]
        case "reference":
            end = target(value)
            return [end.id, end.id.partition("|")[0]] if end else []
        case "date":
            return [one.low for one in dates(value)]
        case "number":
            return [one.range.low for one in amounts(value)]
        case "quantity":
            return [_in_base_unit(one) for one in amounts(value)]
    return [value.data]


def _in_base_unit(amount: Any) -> Any:
    unit = canonical(amount.system, amount.code)
    return (in_base_unit(amount.range, unit) if unit else amount.range).low

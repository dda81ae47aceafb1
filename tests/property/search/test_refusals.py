"""What the specification does not define is refused with 400, never ignored.

Spec: http://hl7.org/fhir/R4/search.html#modifiers
"""

from __future__ import annotations

import pytest

from tests.property.search.asking import Refused
from tests.property.search.comparing import Comparison
from tests.property.search.definitions import parameters
from tests.property.search.query_values import MODIFIED
from tests.property.search.ranges import PREFIXES

WRONG_VALUES = {
    "date": ("2020-13", "2020-02-30", "20", "xx2020", ",", "2020-01-01T25:00Z", "gt", "2020-01-01T10"),
    "number": (",", "1,5x", "abc", "eq", "1..0", "0x10", "NaN"),
    "quantity": (",", "abc", "5|", "5|a|b|c", "gt|http://unitsofmeasure.org|mg", "NaN"),
    "token": (",", "|", "a|b|c"),
    "string": (",",),
    "uri": (",",),
    "composite": (",", "a", "a$b$c$d"),
    "special": (",", "x", "1|2|3|parsec|z", "91|0|1", "0|181|1", "0|0|-1"),
}


def modifiers(kind: str) -> set[str]:
    """The modifiers of a search type."""
    return {feature for feature in MODIFIED[kind] if feature and feature not in PREFIXES}


def refused(kind: str) -> list[str]:
    """The modifiers that other search types have, and this one has not."""
    return sorted({each for other in MODIFIED for each in modifiers(other)} - modifiers(kind))


@pytest.mark.parametrize("kind", MODIFIED)
def test_a_modifier_of_other_types_is_refused(comparison: Comparison, kind: str) -> None:
    asked = [
        (resource_type, f"{parameter.code}:{'Patient' if modifier == 'type' else modifier}=1")
        for resource_type in comparison.world.by_type
        for parameter in parameters(resource_type).values()
        if parameter.type == kind and parameter.code not in ("_id", "_lastUpdated")
        for modifier in [*refused(kind), "unheard-of"]
    ]
    for (resource_type, query), found in zip(asked, comparison.asking.ask(asked), strict=True):
        assert isinstance(found, Refused) and "500" not in found.args[1], f"{resource_type}?{query}"


@pytest.mark.parametrize("kind", [kind for kind in WRONG_VALUES if kind in MODIFIED])
def test_a_value_that_is_none_is_refused(comparison: Comparison, kind: str) -> None:
    asked = [
        (resource_type, f"{parameter.code}={text}")
        for resource_type in comparison.world.by_type
        for parameter in parameters(resource_type).values()
        if parameter.type == kind
        for text in WRONG_VALUES[kind]
    ]
    assert asked
    for (resource_type, query), found in zip(asked, comparison.asking.ask(asked), strict=True):
        assert isinstance(found, Refused) and "500" not in found.args[1], f"{resource_type}?{query}"

"""The operators of FHIRPath.

Enters: two collections. Leaves: a collection.
Spec: http://hl7.org/fhirpath/N1/#operations
"""

from __future__ import annotations

from collections.abc import Callable
from decimal import Decimal, localcontext
from typing import Any

from ecluse.core.fhir.fhirpath import quantity, temporal
from ecluse.core.fhir.fhirpath.equality import equal, equivalent, key, order
from ecluse.core.fhir.fhirpath.failures import FhirPathError
from ecluse.core.fhir.fhirpath.functions.filtering import union
from ecluse.core.fhir.fhirpath.functions.registry import Items, kind_of, single, truth
from ecluse.core.fhir.fhirpath.quantity import Quantity
from ecluse.core.fhir.fhirpath.temporal import Temporal

_NUMBERS = (int, Decimal)
_DIGITS = 34


def _boolean(value: bool | None) -> Items:
    return [] if value is None else [value]


def equals(left: Items, right: Items) -> Items:
    """`=`"""
    return _boolean(equal(left, right))


def differs(left: Items, right: Items) -> Items:
    """`!=`"""
    same = equal(left, right)
    return [] if same is None else [not same]


def is_equivalent(left: Items, right: Items) -> Items:
    """`~`"""
    return [equivalent(left, right)]


def is_not_equivalent(left: Items, right: Items) -> Items:
    """`!~`"""
    return [not equivalent(left, right)]


def less(left: Items, right: Items) -> Items:
    """`<`"""
    found = order(left, right, "<")
    return [] if found is None else [found < 0]


def less_or_equal(left: Items, right: Items) -> Items:
    """`<=`"""
    found = order(left, right, "<=")
    return [] if found is None else [found <= 0]


def greater(left: Items, right: Items) -> Items:
    """`>`"""
    found = order(left, right, ">")
    return [] if found is None else [found > 0]


def greater_or_equal(left: Items, right: Items) -> Items:
    """`>=`"""
    found = order(left, right, ">=")
    return [] if found is None else [found >= 0]


def is_in(left: Items, right: Items) -> Items:
    """`in`: whether the one item on the left is among those on the right."""
    if not left:
        return []
    if len(left) > 1:
        raise FhirPathError(f"in and contains look for a single item, not {len(left)}.")
    wanted = key(left[0])
    return [any(key(item) == wanted for item in right)]


def contains(left: Items, right: Items) -> Items:
    """`contains`: the same, the other way round."""
    return is_in(right, left)


def exclusive_or(left: Items, right: Items) -> Items:
    """`xor`"""
    one, other = truth(left), truth(right)
    return [] if one is None or other is None else [one != other]


def joined(left: Items, right: Items) -> Items:
    """`&`: both texts as one, an empty one as ""."""
    return [_text(left) + _text(right)]


def _text(items: Items) -> str:
    value = single(items, "&")
    if value is None or isinstance(value, str):
        return value or ""
    raise FhirPathError(f"& joins texts, not {kind_of(value)}: add toString().")


def calculated(mark: str) -> Callable[[Items, Items], Items]:
    """`+`, `-`, `*`, `/`, `div` or `mod` of numbers, quantities, dates and (`+`) texts."""
    work = _ARITHMETIC[mark]

    def operator(left: Items, right: Items) -> Items:
        one, other = single(left, mark), single(right, mark)
        if one is None or other is None:
            return []
        if type(one) in _NUMBERS and type(other) in _NUMBERS:
            with localcontext(prec=_DIGITS):
                found = work(one, other)
        else:
            found = _of_others(mark, one, other)
        return [] if found is None else [found]

    return operator


def _of_others(mark: str, one: Any, other: Any) -> Any:
    if mark == "+" and isinstance(one, str) and isinstance(other, str):
        return one + other
    if mark in "+-" and isinstance(one, Temporal) and isinstance(other, Quantity) and temporal.can_add(other.unit):
        return temporal.plus(one, other, 1 if mark == "+" else -1)
    one, other = (Quantity(Decimal(x), "1") if type(x) in _NUMBERS else x for x in (one, other))
    if isinstance(one, Quantity) and isinstance(other, Quantity):
        if mark in "*/":
            return quantity.times(one, other, mark)
        if mark in "+-":
            there = quantity.in_unit(other, one.unit)
            return there and one._replace(value=one.value + there.value if mark == "+" else one.value - there.value)
    raise FhirPathError(f"{mark} does not work on {kind_of(one)} and {kind_of(other)}.")


def negative(items: Items) -> Items:
    """`-` before a number or quantity."""
    value = single(items, "-", (int, Decimal, Quantity))
    if value is None:
        return []
    return [value._replace(value=-value.value) if isinstance(value, Quantity) else -value]


def _divided(one: Any, other: Any) -> Any:
    return Decimal(one) / Decimal(other) if other else None


def _whole_part(one: Any, other: Any) -> Any:
    return int(Decimal(one) / Decimal(other)) if other else None


def _rest(one: Any, other: Any) -> Any:
    if not other:
        return None
    rest = Decimal(one) % Decimal(other)
    return int(rest) if isinstance(one, int) and isinstance(other, int) else rest


_ARITHMETIC: dict[str, Callable[[Any, Any], Any]] = {
    "+": lambda one, other: one + other,
    "-": lambda one, other: one - other,
    "*": lambda one, other: one * other,
    "/": _divided,
    "div": _whole_part,
    "mod": _rest,
}

OPERATORS: dict[str, Callable[[Items, Items], Items]] = {
    "=": equals,
    "!=": differs,
    "~": is_equivalent,
    "!~": is_not_equivalent,
    "<": less,
    "<=": less_or_equal,
    ">": greater,
    ">=": greater_or_equal,
    "in": is_in,
    "contains": contains,
    "xor": exclusive_or,
    "|": union,
    "&": joined,
    **{mark: calculated(mark) for mark in _ARITHMETIC},
}
"""All operators that need both sides; and, or and implies look at the right one only when they must."""

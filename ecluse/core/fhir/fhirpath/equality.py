"""When items are equal, equivalent, less or greater.

Enters: items or collections. Leaves: True or False, None when FHIRPath leaves it empty.
Spec: http://hl7.org/fhirpath/N1/#equality
"""

from __future__ import annotations

from collections.abc import Hashable
from decimal import ROUND_HALF_UP, Decimal
from typing import Any

import msgspec

from ecluse.core.fhir.fhirpath import quantity, temporal
from ecluse.core.fhir.fhirpath.failures import FhirPathError
from ecluse.core.fhir.fhirpath.nodes import Item, Node, system, system_type
from ecluse.core.fhir.fhirpath.quantity import Quantity
from ecluse.core.fhir.fhirpath.temporal import Temporal
from ecluse.core.fhir.json import number

_NUMBERS = (int, Decimal)


def equal(left: list[Item], right: list[Item]) -> bool | None:
    """`=` of two collections: the same items in the same order."""
    if not left or not right:
        return None
    if len(left) != len(right):
        return False
    outcome: bool | None = True
    for one, other in zip(left, right, strict=True):
        same = same_item(one, other)
        if same is False:
            return False
        outcome = same if outcome else None
    return outcome


def same_item(left: Item, right: Item) -> bool | None:
    """`=` of two items."""
    left, right = system(left), system(right)
    kind, other = type(left), type(right)
    if kind is str or kind is bool or other is str or other is bool:
        return _same_text(left, right)
    if kind in _NUMBERS and other in _NUMBERS:
        return bool(left == right)
    if kind is Temporal and other is Temporal:
        order = temporal.compared(left, right)
        return None if order is None and (left.kind == "Time") == (right.kind == "Time") else order == 0
    if kind is Quantity or other is Quantity:
        return _same_quantity(left, right)
    return kind is other and key(left) == key(right)


def _same_text(left: Item, right: Item) -> bool:
    """Strings and booleans are equal to their like; a date also to the string that could not be read as one."""
    return type(left) is type(right) and bool(left == right)


def _same_quantity(left: Item, right: Item) -> bool | None:
    left, right = _as_quantity(left), _as_quantity(right)
    if left is None or right is None:
        return False
    order = quantity.compared(left, right)
    return None if order is None else order == 0


def _as_quantity(item: Item) -> Quantity | None:
    return Quantity(Decimal(item), "1") if type(item) in _NUMBERS else item if type(item) is Quantity else None


def key(item: Item) -> Hashable:
    """A value that is the same for equal items, for sets of them."""
    item = system(item)
    if type(item) is bool:
        return ("boolean", item)
    if type(item) is Temporal:
        return temporal.key(item)
    if type(item) is Quantity:
        return quantity.key(item)
    if type(item) is not Node:
        return item  # type: ignore[no-any-return]
    return (_frozen(item.value), _frozen(item.sibling))


def _frozen(value: Any) -> Hashable:
    if isinstance(value, dict):
        return frozenset((name, _frozen(member)) for name, member in value.items())
    if isinstance(value, list):
        return tuple(map(_frozen, value))
    if isinstance(value, msgspec.Raw):
        return number(value)
    return ("boolean", value) if isinstance(value, bool) else value


def equivalent(left: list[Item], right: list[Item]) -> bool:
    """`~` of two collections: equivalent items in any order.

    Spec: http://hl7.org/fhirpath/N1/#equivalent"""
    if len(left) != len(right):
        return False
    rest = list(right)
    for one in left:
        match = next((index for index, other in enumerate(rest) if alike(one, other)), None)
        if match is None:
            return False
        del rest[match]
    return True


def alike(left: Item, right: Item) -> bool:
    """`~` of two items."""
    left, right = system(left), system(right)
    if type(left) is str and type(right) is str:
        return _folded(left) == _folded(right)
    if type(left) in _NUMBERS and type(right) in _NUMBERS:
        return _rounded_alike(Decimal(left), Decimal(right))
    if type(left) is Temporal and type(right) is Temporal:
        return temporal.compared(left, right) == 0
    if type(left) is Quantity or type(right) is Quantity:
        return _quantities_alike(left, right)
    if type(left) is Node and type(right) is Node:
        return _loose(left.value) == _loose(right.value)
    return same_item(left, right) is True


def _quantities_alike(left: Item, right: Item) -> bool:
    left, right = _as_quantity(left), _as_quantity(right)
    if left is None or right is None:
        return False
    left, right = (one._replace(unit=quantity.CALENDAR.get(one.unit, one.unit)) for one in (left, right))
    there = quantity.in_unit(right, left.unit)
    return there is not None and _rounded_alike(left.value, there.value)


def _rounded_alike(left: Decimal, right: Decimal) -> bool:
    """Equal when both are rounded to the digits of the less precise one."""
    digits = max(_exponent(left), _exponent(right))
    step = Decimal(1).scaleb(digits)
    return left.quantize(step, ROUND_HALF_UP) == right.quantize(step, ROUND_HALF_UP)


def _exponent(value: Decimal) -> int:
    exponent = value.normalize().as_tuple().exponent
    return min(exponent, 0) if isinstance(exponent, int) else 0


def _folded(text: str) -> str:
    return " ".join(text.split()).casefold()


def _loose(value: Any) -> Hashable:
    """A complex element without ids, case, white space and order."""
    if isinstance(value, dict):
        return frozenset((name, _loose(member)) for name, member in value.items() if name != "id")
    if isinstance(value, list):
        return frozenset(map(_loose, value))
    if isinstance(value, str):
        return _folded(value)
    return _frozen(value)


def order(left: list[Item], right: list[Item], mark: str) -> int | None:
    """-1, 0 or 1 for `<`, `<=`, `>`, `>=`; None when empty or left open by precision or units.

    Raises: FhirPathError (400) when the two cannot be compared"""
    if not left or not right:
        return None
    if len(left) > 1 or len(right) > 1:
        raise FhirPathError(f"{mark} compares single items, not {max(len(left), len(right))}.")
    one, other = system(left[0]), system(right[0])
    if type(one) in _NUMBERS and type(other) in _NUMBERS:
        return bool(one > other) - bool(one < other)
    if type(one) is str and type(other) is str:
        return (one > other) - (one < other)
    if type(one) is Temporal and type(other) is Temporal and (one.kind == "Time") == (other.kind == "Time"):
        return temporal.compared(one, other)
    if type(one) is Node or type(other) is Node:
        return None
    if (left_quantity := _as_quantity(one)) and (right_quantity := _as_quantity(other)):
        return quantity.compared(left_quantity, right_quantity)
    raise FhirPathError(f"{mark} cannot compare {system_type(one)} with {system_type(other)}.")

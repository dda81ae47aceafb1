"""The functions of FHIRPath by name, and the four shapes that most of them have.

Enters: Python functions, by decorator. Leaves: `FUNCTIONS`: for each name how many arguments it takes, and what makes a
step of its compiled arguments. An argument is evaluated in the scope around the function; what goes through items sets
`$this` itself.
Spec: http://hl7.org/fhirpath/N1/#functions
"""

from __future__ import annotations

from collections.abc import Callable
from decimal import Decimal
from typing import Any, NamedTuple, TypeVar

from ecluse.core.fhir.fhirpath.failures import FhirPathError
from ecluse.core.fhir.fhirpath.nodes import Item, Node, system, system_type
from ecluse.core.fhir.fhirpath.scope import Scope

Items = list[Item]
Evaluate = Callable[[Scope], Items]
"""A compiled expression."""
Step = Callable[[Items, Scope], Items]
"""A compiled function or member: from its input to its output."""
Maker = TypeVar("Maker", bound=Callable[..., Any])


class Function(NamedTuple):
    """Least and most arguments; `make` gets them compiled."""

    least: int
    most: int
    make: Callable[..., Step]


FUNCTIONS: dict[str, Function] = {}

MOST_ITEMS = 1_000_000
"""Items that one step may make; more is a mistake, or an attack."""


def made_of_arguments(name: str, least: int, most: int | None = None) -> Callable[[Maker], Maker]:
    """A function that makes its step of compiled arguments itself."""

    def register(make: Maker) -> Maker:
        FUNCTIONS[name] = Function(least, least if most is None else most, make)
        return make

    return register


def of_items(name: str) -> Callable[[Maker], Maker]:
    """items → items."""

    def register(function: Maker) -> Maker:
        def step(items: Items, scope: Scope) -> Items:
            return function(items)  # type: ignore[no-any-return]

        FUNCTIONS[name] = Function(0, 0, lambda: step)
        return function

    return register


def of_items_and_others(name: str) -> Callable[[Maker], Maker]:
    """(items, the argument's items) → items."""

    def register(function: Maker) -> Maker:
        def make(argument: Evaluate) -> Step:
            def step(items: Items, scope: Scope) -> Items:
                others = argument(scope)
                scope.evaluation.spend(len(others))
                return function(items, others)  # type: ignore[no-any-return]

            return step

        FUNCTIONS[name] = Function(1, 1, make)
        return function

    return register


def of_value(name: str, kinds: tuple[type, ...], least: int = 0, most: int | None = None) -> Callable[[Maker], Maker]:
    """(value, argument values…) → value or None: empty in, empty out; the input is one value of these kinds."""

    def register(function: Maker) -> Maker:
        def make(*arguments: Evaluate) -> Step:
            def step(items: Items, scope: Scope) -> Items:
                value = single(items, name, kinds)
                given = [single(argument(scope), name) for argument in arguments]
                if value is None or any(one is None for one in given):
                    return []
                answer = function(value, *given)
                return [] if answer is None else [answer]

            return step

        FUNCTIONS[name] = Function(least, least if most is None else most, make)
        return function

    return register


def single(items: Items, name: str, kinds: tuple[type, ...] = ()) -> Any:
    """The one value of a collection, None when it is empty or a primitive without value.

    Raises: FhirPathError (400) when there are several, or the value is of another kind"""
    if not items:
        return None
    if len(items) > 1:
        raise FhirPathError(f"{name} takes a single item, not {len(items)}: choose one, with first() or where().")
    value = system(items[0])
    if not kinds or type(value) in kinds:
        return value
    if type(value) is Node and value.member.primitive:
        return None
    if Decimal in kinds and type(value) is int:
        return Decimal(value)
    raise FhirPathError(f"{name} does not work on {kind_of(value)}.")


def kind_of(value: Item) -> str:
    """The type of an item, for messages."""
    return value.type if type(value) is Node else system_type(value)


def truth(items: Items) -> bool | None:
    """A collection as a boolean: a single item that is no boolean is true, none is None.

    Raises: FhirPathError (400) when there are several
    Spec: http://hl7.org/fhirpath/N1/#singleton-evaluation-of-collections"""
    if not items:
        return None
    if len(items) > 1:
        raise FhirPathError(f"A single true or false is expected, not {len(items)} items.")
    value = system(items[0])
    return value if type(value) is bool else True


def whole(items: Items, name: str) -> int | None:
    """The whole number that an argument gives.

    Raises: FhirPathError (400) when it gives something else"""
    value = single(items, name)
    if value is None or type(value) is int:
        return value
    raise FhirPathError(f"{name} takes a whole number, not {kind_of(value)}.")

"""The single checks of one item: type, fixed value, pattern, binding, target, length, range.

Enters: what a node restricts. Leaves: compiled checks, each of which tells what is wrong and how to mend it.
Spec: http://hl7.org/fhir/R4/elementdefinition.html
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import msgspec

from ecluse.core.fhir.fhirpath.nodes import element, system
from ecluse.core.fhir.fhirpath.quantity import Quantity, in_unit
from ecluse.core.fhir.json import number
from ecluse.core.fhir.validation.profiles.codes import codes_of
from ecluse.core.fhir.validation.profiles.element import Binding, Node, TypeRef
from ecluse.core.fhir.validation.profiles.library import is_base_type
from ecluse.core.fhir.validation.profiles.run import Check, Item, Run
from ecluse.core.fhir.validation.profiles.value_sets import Coded
from ecluse.core.fhir.validation.profiles.values import equal, includes, told

if TYPE_CHECKING:
    from ecluse.core.fhir.validation.profiles.profiles import Profiles

MOST_SHOWN = 200


def found(value: Any) -> str:
    """What was found, cut short."""
    text = f"found {told(value)}"
    return text if len(text) <= MOST_SHOWN else text[:MOST_SHOWN] + "…"


def any_of(names: Sequence[str]) -> str:
    """`A`, `A or B`, `A, B or C`."""
    return " or ".join([", ".join(names[:-1]), names[-1]]) if len(names) > 1 else "".join(names)


def allows_types(name: str, codes: tuple[str, ...]) -> Check:
    """One of the types that the profile leaves of a choice, or of the resources that may stand here."""

    def check(run: Run, item: Item) -> None:
        if item.kind not in codes:
            text = f"Write {name} as {any_of(codes)}: the profile allows no other type."
            run.add(item.place, text, "structure", f"found a {item.kind}")

    return check


def wants(node: Node) -> Check:
    """The fixed value, or the pattern."""
    fixed, pattern = node.fixed, node.pattern
    if fixed is not msgspec.UNSET:
        text = f"Write {told(fixed)}: the profile fixes {node.name} to exactly that."

        def check(run: Run, item: Item) -> None:
            if not equal(item.value, fixed):
                run.add(item.place, text, "value", found(item.value))

        return check
    wanted = f"Let {node.name} hold {told(pattern)}: the profile asks for it; more may stand beside it."

    def check_pattern(run: Run, item: Item) -> None:
        if not includes(item.value, pattern):
            run.add(item.place, wanted, "value", found(item.value))

    return check_pattern


def refers_to(profiles: Profiles, kind: TypeRef) -> Check | None:
    """A reference to one of the types that its target profiles are made for, and, as far as the target is at hand, to a
    resource that conforms to one of them; None when one of these is not known."""
    types = tuple(sorted({profiles.type_of(target) for target in kind.targets}))
    if not types or {"", "Resource"} & set(types):
        return None
    base = all(is_base_type(target) for target in kind.targets)

    def check(run: Run, item: Item) -> None:
        if item.kind != "Reference":
            return
        target = run.target_type(item.value)
        if target and target not in types:
            text = f"Refer to {any_of(types)}: the profile allows no other target."
            run.add(item.place, text, "structure", f"found {item.value.get('reference', target)}")
        elif not base and (found := run.target(item.value)) is not None:
            one = Item(found, None, target, item.place)
            if all(profiles.conforms(run, one, canonical) is False for canonical in kind.targets):
                text = f"Refer to a resource that conforms to {any_of(kind.targets)}: this one does to none of them."
                run.add(item.place, text, "structure", f"found {item.value['reference']}")

    return check


def bound(profiles: Profiles, binding: Binding) -> list[Check]:
    """A code of the value set: an error when the binding is required, a warning when it is extensible."""
    checks = []
    if binding.value_set and binding.strength in ("required", "extensible"):
        checks.append(_in_set(profiles, binding.value_set, "error" if binding.strength == "required" else "warning"))
    if binding.at_most:
        checks.append(_in_set(profiles, binding.at_most, "error"))
    return checks


def _in_set(profiles: Profiles, value_set: str, severity: str) -> Check:
    required = severity == "error"
    if required:
        text = f"Use a code of the value set {value_set}: the profile requires one of its codes."
    else:
        text = f"Use a code of the value set {value_set} if one fits: the profile asks for it before any other."

    def check(run: Run, item: Item) -> None:
        codes = codes_of(item)
        answers = [run.is_member(profiles.value_sets, value_set, coded) for coded in codes]
        if any(answers):
            return
        if None in answers:
            run.unchecked[f"codes of {value_set}"] = None
        elif codes or (required and item.value is not None):
            run.add(item.place, text, "code-invalid", _shown(codes, item), severity)

    return check


def _shown(codes: list[Coded], item: Item) -> str:
    names = [f"{coded.system or ''}#{coded.code}".removeprefix("#") for coded in codes]
    return f"found {', '.join(names)}"[:MOST_SHOWN] if names else found(item.value)


def at_most_long(name: str, longest: int) -> Check:
    """Text of a bounded length."""

    def check(run: Run, item: Item) -> None:
        if isinstance(item.value, str) and len(item.value) > longest:
            text = f"Shorten {name} to {longest} characters: the profile takes no more."
            run.add(item.place, text, "too-long", f"found {len(item.value)} characters")

    return check


def within(name: str, bounds: tuple[Any, Any]) -> Check:
    """A number, or a date, from the least to the greatest value that the profile takes."""
    least, most = bounds

    def check(run: Run, item: Item) -> None:
        if (least is not None and _less(item.value, least)) or (most is not None and _less(most, item.value)):
            limits = [
                f"from {told(least)}" if least is not None else "",
                f"to {told(most)}" if most is not None else "",
            ]
            text = f"Write a {name} {' '.join(filter(None, limits))}: the profile takes no other."
            run.add(item.place, text, "value", found(item.value))

    return check


def _less(one: Any, other: Any) -> bool:
    """Whether one is less, as far as that is certain: dates are compared to the precision of the shorter one."""
    if isinstance(one, str) and isinstance(other, str):
        shorter = min(len(one), len(other), len("YYYY-MM-DD"))
        return one[:shorter] < other[:shorter]
    if isinstance(one, dict) and isinstance(other, dict):
        left, right = (system(element(value, "Quantity")) for value in (one, other))
        if not isinstance(left, Quantity) or not isinstance(right, Quantity):
            return False
        there = in_unit(left, right.unit)
        return there is not None and there.value < right.value
    numbers = [value for value in (one, other) if isinstance(value, (int, msgspec.Raw)) and not isinstance(value, bool)]
    return len(numbers) == 2 and number(numbers[0]) < number(numbers[1])

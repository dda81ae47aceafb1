"""The extensible and preferred bindings of R4: codes that should be taken, and need not be.

Enters: an accepted resource. Leaves: issues: a warning where the binding is extensible, an information where it is
preferred, when none of an element's codes is in its value set. Text without a code is what these bindings allow, so
nothing is said of it, nor where R4's own definitions do not tell the codes. A write is not asked: $validate is.
Spec: http://hl7.org/fhir/R4/terminologies.html#extensible, http://hl7.org/fhir/R4/terminologies.html#preferred
"""

from __future__ import annotations

from collections.abc import Iterator
from functools import cache
from typing import Any

from ecluse.core.errors import Issue
from ecluse.core.fhir.definitions.rules import Wish, wish_of
from ecluse.core.fhir.definitions.structures import structures
from ecluse.core.fhir.explain import shown
from ecluse.core.fhir.fhirpath.nodes import Item, Member, Node, collect, members, root
from ecluse.core.fhir.scan import MOST_ISSUES
from ecluse.core.fhir.validation.binding import misfit

CODE = "code-invalid"
SEVERITIES = {"extensible": "warning", "preferred": "information"}
_WHY = {
    "extensible": "Another code is for what none of these says (extensible binding).",
    "preferred": "R4 prefers these codes and allows others (preferred binding).",
}


def wishes(resource: dict[str, Any], place: str = "") -> list[Issue]:
    """What R4 wishes of the codes of a resource and of the resources inside it, at most as many as are listed.

    place: where it stands, "Bundle.entry[3].resource"; empty: its type"""
    found: list[Issue] = []
    waiting: list[Node] = [root(resource, place)]
    while waiting and len(found) < MOST_ISSUES:
        node = waiting.pop()
        for member, wish in _looked_at(node.type):
            below: list[Item] = []
            collect(node, (member,), below)
            if wish is not None:
                found.extend(_told(one, wish) for one in below if _misses(one, wish))
            if not member.primitive:
                waiting.extend(reversed(below))
    return found[:MOST_ISSUES]


def without(issues: list[Issue], told: list[Issue]) -> list[Issue]:
    """The issues but for wishes at places whose codes a profile has told about."""
    places = {issue.expression for issue in told if issue.code == CODE}
    return [one for one in issues if not (one.code == CODE and one.severity != "error" and one.expression in places)]


def _misses(node: Node, wish: Wish) -> bool:
    """Whether an element has codes, and none of them is in the value set."""
    return bool(_codes(node.value)) and bool(misfit(node.value, wish.value_set))


def _codes(value: Any) -> list[Any]:
    if not isinstance(value, dict):
        return [value] if isinstance(value, str) else []
    return [one for one in value.get("coding", [value]) if isinstance(one, dict) and "code" in one]


def _told(node: Node, wish: Wish) -> Issue:
    text = f"{misfit(node.value, wish.value_set)} {_WHY[wish.strength]}"
    codes = ", ".join(shown(one if isinstance(one, str) else one["code"]) for one in _codes(node.value))
    return Issue(text, node.location, f"found {codes}", CODE, SEVERITIES[wish.strength])


@cache
def _looked_at(type_name: str) -> tuple[tuple[Member, Wish | None], ...]:
    """The members of a type that have a wish, or in which there may be one."""
    return tuple(
        (member, wish)
        for member, wish in _all(type_name)
        if wish is not None or member.type in _types_with_wishes() or member.type == "Resource"
    )


def _all(type_name: str) -> Iterator[tuple[Member, Wish | None]]:
    for name, several in members(type_name).items():
        for member in several:
            yield member, wish_of(f"{type_name}.{name}")


@cache
def _types_with_wishes() -> frozenset[str]:
    """The types in which an element has a wish, at any depth."""
    found: set[str] = set()
    while more := {kind for kind in structures().types if kind not in found and _has_wish(kind, found)}:
        found |= more
    return frozenset(found)


def _has_wish(kind: str, known: set[str]) -> bool:
    return any(wish is not None or member.type in known or member.type == "Resource" for member, wish in _all(kind))

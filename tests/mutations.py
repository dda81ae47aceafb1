"""Official examples, each with one thing made wrong by the definitions: what, where, and how it must be told.

Enters: nothing. Leaves: at least 300 mutations of seven kinds, always the same ones, spread over many types.
"""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Callable, Iterator
from functools import cache
from typing import Any, NamedTuple

from ecluse.core.fhir.definitions.rules import value_set_of
from ecluse.core.fhir.definitions.structures import Element, structures
from ecluse.core.fhir.definitions.value_sets import codes_of
from ecluse.core.fhir.fhirpath.nodes import Node, descendants, root
from tests.official import official_files

EACH = 50
"""Mutations of a kind."""
PER_TYPE = 1
"""Mutations of a kind from one resource type."""
MOST_BYTES = 20_000


class Mutation(NamedTuple):
    """kind: "bad code"; file: which example; body: the wrong resource; place and code: what the issue must say."""

    kind: str
    file: str
    type: str
    body: bytes
    place: str
    code: str


Change = tuple[str, str, Callable[[Any], None]]
"""Place, issue code, and what makes an object wrong."""


@cache
def mutations() -> tuple[Mutation, ...]:
    """All of them."""
    return tuple(mutation for kind, find in KINDS.items() for mutation in _of_kind(kind, find))


def _of_kind(kind: str, find: Callable[[Node, Element], Change | None]) -> list[Mutation]:
    made: list[Mutation] = []
    seen: Counter[str] = Counter()
    for path in official_files():
        resource_type = path.name.partition("-")[0]
        if seen[resource_type] >= PER_TYPE or path.stat().st_size > MOST_BYTES or len(made) == EACH:
            continue
        if mutation := _first(kind, find, path.name, path.read_bytes()):
            made.append(mutation)
            seen[resource_type] += 1
    return made


def _first(kind: str, find: Callable[[Node, Element], Change | None], file: str, data: bytes) -> Mutation | None:
    """The last place in a resource where this can be made wrong: a deep one."""
    resource = json.loads(data)
    if resource.get("resourceType") not in structures().resources:
        return None
    for node, element in reversed(list(_elements(root(resource)))):
        if change := find(node, element):
            place, code, apply = change
            apply(node.value)
            return Mutation(kind, file, resource["resourceType"], json.dumps(resource).encode(), place, code)
    return None


def _elements(top: Node) -> Iterator[tuple[Node, Element]]:
    """Every object of the resource itself, outside of contained ones, with each element that its type has."""
    for node in (top, *descendants(top)):
        if isinstance(node.value, dict) and node.type in structures().types and "contained" not in node.location:
            for element in structures().types[node.type]:
                yield node, element


def _missing(node: Node, element: Element) -> Change | None:
    names = [name for name, _ in element.members() if name in node.value]
    if not element.required or not names or len(node.value) < 2 or node.value.keys() <= {names[0], "id"}:
        return None
    return f"{node.location}.{element.name}", "required", lambda value: value.pop(names[0])


def _cardinality(node: Node, element: Element) -> Change | None:
    if element.choice or element.name not in node.value or element.types[0] in structures().primitives:
        return None
    wrong = node.value[element.name][0] if element.many else [node.value[element.name]]

    def apply(value: Any) -> None:
        value[element.name] = wrong

    return f"{node.location}.{element.name}", "structure", apply


def _code(node: Node, element: Element) -> Change | None:
    url = value_set_of(f"{node.type}.{element.name}")
    if not codes_of(url) or element.types != ("code",) or element.many or element.name not in node.value:
        return None

    def apply(value: Any) -> None:
        value[element.name] = "no-such-code"

    return f"{node.location}.{element.name}", "code-invalid", apply


def _date(node: Node, element: Element) -> Change | None:
    for name, kind in element.members():
        if kind in ("date", "dateTime", "instant") and isinstance(node.value.get(name), str):
            wrong = {name: "2024-13-45"}
            return f"{node.location}.{element.name}", "value", lambda value, wrong=wrong: value.update(wrong)
    return None


def _unknown(node: Node, element: Element) -> Change | None:
    return f"{node.location}.nosuch", "structure", lambda value: value.update(nosuch="x")


def _target(node: Node, element: Element) -> Change | None:
    value = node.value.get(element.name)
    one = value[0] if isinstance(value, list) else value
    if element.types != ("Reference",) or not element.targets or not value or one.get("reference", "#")[:1] == "#":
        return None
    place = f"{node.location}.{element.name}" + ("[0]" if element.many else "")

    def apply(value: Any) -> None:
        reference = value[element.name][0] if element.many else value[element.name]
        reference.pop("type", None)
        reference["reference"] = "Linkage/1"

    return place, "value", apply


def _two_choices(node: Node, element: Element) -> Change | None:
    present = [name for name, _ in element.members() if name in node.value]
    spare = {"boolean": True, "string": "x", "integer": 1, "CodeableConcept": {"text": "x"}, "dateTime": "2024-01-01"}
    others = [(name, spare[kind]) for name, kind in element.members() if kind in spare and name not in present]
    if not element.choice or not present or not others:
        return None
    return f"{node.location}.{element.name}", "structure", lambda value: value.update([others[0]])


KINDS: dict[str, Callable[[Node, Element], Change | None]] = {
    "missing required": _missing,
    "wrong cardinality": _cardinality,
    "bad code": _code,
    "bad date": _date,
    "unknown element": _unknown,
    "wrong reference target": _target,
    "two of a choice": _two_choices,
}

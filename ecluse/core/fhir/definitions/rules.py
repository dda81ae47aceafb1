"""The invariants and required bindings of R4, as Python values.

Enters: rules.json, read once at first use. Leaves: rules by type or element, compiled; value sets by element.
Spec: http://hl7.org/fhir/R4/validation.html
"""

from __future__ import annotations

from collections.abc import Callable
from functools import cache
from importlib.resources import files
from typing import Any, NamedTuple

import msgspec

from ecluse.core.fhir.fhirpath.expression import Expression, compile
from ecluse.core.fhir.fhirpath.nodes import element, members
from ecluse.core.fhir.fhirpath.reads import names_read


class Rule(NamedTuple):
    """One invariant: "pat-1", "error" or "warning", what it asks for in words, the condition.

    is_met_at_once: whether an object surely meets it; most do, and need no evaluation"""

    key: str
    severity: str
    text: str
    condition: Expression
    is_met_at_once: Callable[[dict[str, Any]], bool]


@cache
def _file() -> dict[str, Any]:
    raw: dict[str, Any] = msgspec.json.decode((files(__package__) / "rules.json").read_bytes())
    return raw


@cache
def rules_of(path: str) -> tuple[Rule, ...]:
    """The rules of a type, "Period", "Patient.contact", or of an element, "Narrative.div"."""
    return tuple(_rule(path, *row) for row in _file()["invariants"].get(path, ()))


def value_set_of(path: str) -> str:
    """The value set that an element must take its codes from, "" when it may take others."""
    return str(_file()["bindings"].get(path, ""))


def _rule(path: str, key: str, severity: str, text: str, expression: str) -> Rule:
    condition = compile(expression)
    return Rule(key, severity, text, condition, _AT_ONCE.get(key) or _unless_read(path, condition))


def _unless_read(path: str, condition: Expression) -> Callable[[dict[str, Any]], bool]:
    """A condition that is true of an empty object is true of all that have none of the elements that it reads."""
    names = names_read(condition.text)
    if names is None or condition.holds(element({}, path)) is not True:
        return lambda value: False
    known = members("Patient" if path == "DomainResource" else path)
    every = [member for name in names for member in known.get(name, ())]
    keys = frozenset(name for member in every for name in (member.key, member.sibling))
    return keys.isdisjoint


def _is_no_fragment(value: dict[str, Any]) -> bool:
    """ref-1 is about references to contained resources."""
    link = value.get("reference")
    return isinstance(link, str) and not link.startswith("#")


def _is_in_order(value: dict[str, Any]) -> bool:
    """per-1, for the usual ways to write dates: of the same length and zone they sort as text."""
    start, end = value.get("start"), value.get("end")
    if not (isinstance(start, str) and isinstance(end, str)):
        return "_start" not in value and "_end" not in value
    return len(start) == len(end) and start[19:] == end[19:] and start <= end


def _refers_to_all_it_contains(value: dict[str, Any]) -> bool:
    """dom-3, when a Reference leads to each contained resource."""
    if "contained" not in value:
        return True
    if not isinstance(value["contained"], list):
        return False
    links: set[str] = set()
    _links(value, links)
    return all(isinstance(one, dict) and f"#{one.get('id')}" in links for one in value["contained"])


def _links(value: Any, found: set[str]) -> None:
    """Adds the text of every member `reference` below."""
    for member in value.values() if isinstance(value, dict) else value:
        if isinstance(member, (dict, list)):
            _links(member, found)
    if isinstance(value, dict) and isinstance(value.get("reference"), str):
        found.add(value["reference"])


_AT_ONCE: dict[str, Callable[[dict[str, Any]], bool]] = {
    "dom-3": _refers_to_all_it_contains,
    "ref-1": _is_no_fragment,
    "per-1": _is_in_order,
}

"""What there is to check in each type, found once.

Enters: the name of a type. Leaves: its rules, and for each JSON name below it what to look at there; names of
primitives without binding and rule are not in it, so that the walk passes over them.
"""

from __future__ import annotations

from collections.abc import Callable, Collection
from functools import cache
from typing import NamedTuple

from ecluse.core.fhir.definitions.rules import Rule, rules_of, value_set_of
from ecluse.core.fhir.definitions.structures import Element, structures
from ecluse.core.fhir.fhirpath.nodes import Member, base_type


class Check(NamedTuple):
    """One member: the value set of its required binding, the types that its references may lead to, rules of its own.

    beside: it stands for the `_name` sibling, which is looked at when there is no value"""

    member: Member
    value_set: str
    targets: tuple[str, ...]
    rules: tuple[Rule, ...]
    beside: bool = False


class Plan(NamedTuple):
    """The rules of a type, and its members by JSON name.

    bare: of these the ones in which something can be wrong when the resource has no extension; warned: those in which
    a rule can be broken that is a warning; checks are all"""

    rules: tuple[Rule, ...]
    checks: dict[str, Check]
    bare: dict[str, Check]
    warned: dict[str, Check]


@cache
def plan(type_name: str) -> Plan:
    """The plan of a type: a resource, data type or backbone element; of a primitive, that of its id and extensions."""
    known = structures()
    holder = "Element" if type_name in known.primitives else type_name
    checks: dict[str, Check] = {}
    for element in known.types.get(holder, ()):
        for check in _checks(holder, element):
            member = check.member
            if not member.primitive or check.value_set or check.rules:
                checks[member.key] = check
            if member.sibling:
                checks[member.sibling] = check._replace(beside=True)
    bare = {name: check for name, check in checks.items() if not check.beside and not _is_plain(check, _plain_types())}
    mild = _types_without(_is_mild, _warnings)
    warned = {name: check for name, check in checks.items() if not check.beside and not _is_mild(check, mild)}
    return Plan(_rules(holder), checks, bare, warned)


def _is_plain(check: Check, plain: Collection[str]) -> bool:
    """Whether nothing but an extension can be wrong in a member. plain: types of which that is known"""
    if check.value_set or check.targets or check.rules:
        return False
    return check.member.primitive or check.member.type == "Extension" or check.member.type in plain


def _is_mild(check: Check, mild: Collection[str]) -> bool:
    """Whether no rule can be broken in a member that is a warning. mild: types of which that is known"""
    return not _warnings(check.rules) and (check.member.primitive or check.member.type in mild)


def _warnings(rules: tuple[Rule, ...]) -> tuple[Rule, ...]:
    return tuple(rule for rule in rules if rule.severity != "error")


def _plain_types() -> frozenset[str]:
    """The types in which nothing but an extension can be wrong, at any depth: Coding, CodeableConcept, Meta."""
    return _types_without(_is_plain, tuple)


@cache
def _types_without(
    is_without: Callable[[Check, Collection[str]], bool], wrong_by: Callable[[tuple[Rule, ...]], tuple[Rule, ...]]
) -> frozenset[str]:
    """The types without such a member, at any depth, and without such a rule of their own."""
    checks = {
        kind: [check for element in elements for check in _checks(kind, element)]
        for kind, elements in structures().types.items()
        if not wrong_by(_rules(kind))
    }
    found = set(checks)
    while wrong := {kind for kind in found if not all(is_without(check, found) for check in checks[kind])}:
        found -= wrong
    return frozenset(found)


def _rules(type_name: str) -> tuple[Rule, ...]:
    """Own rules first, then those of the types that it is made from."""
    base = base_type(type_name)
    return rules_of(type_name) + (_rules(base) if base else ())


def _checks(holder: str, element: Element) -> list[Check]:
    path = f"{holder}.{element.name}"
    rules = () if path in structures().types else rules_of(path)
    made = []
    for key, kind in element.members():
        primitive = kind in structures().primitives
        sibling = f"_{key}" if primitive and not element.attribute else ""
        member = Member(element.name, key, sibling, kind, element.many, primitive)
        targets = element.targets if kind == "Reference" else ()
        made.append(Check(member, value_set_of(path), targets, rules))
    return made

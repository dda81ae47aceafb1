"""What a condition comes to, when it can be told by looking at which elements are there.

Enters: a condition and the type of its focus. Leaves: a function from the JSON object to True, False or, when the
condition has to be evaluated, None. `value.empty() or component.code.where(…)` is True of every object without a value,
and `system = %ucum` is told by the text that stands there.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from ecluse.core.fhir.fhirpath.nodes import members
from ecluse.core.fhir.fhirpath.quantity import UCUM
from ecluse.core.fhir.fhirpath.syntax import Binary, Call, Chain, Literal, Member, Tree, Variable, parse

Presence = Callable[[Mapping[str, Any]], bool | None]

_WHEN_EMPTY = {
    "exists": False,
    "empty": True,
    "all": True,
    "isDistinct": True,
    "subsetOf": True,
    "allTrue": True,
}
"""What these functions say of nothing, whatever their arguments."""
_KEEP_EMPTY = {
    "where",
    "select",
    "first",
    "last",
    "tail",
    "distinct",
    "ofType",
    "as",
    "descendants",
    "children",
    "trace",
}
"""Functions that make nothing of nothing."""
_TEXTS = frozenset({"canonical", "code", "id", "markdown", "oid", "string", "uri", "url", "uuid"})
"""Primitive types whose values are compared with a text as they are."""


def presence(text: str, type_name: str) -> Presence:
    """The function for a condition on objects of a type."""
    return _told(parse(text), type_name)


def _told(tree: Tree, type_name: str) -> Presence:
    if isinstance(tree, Binary) and tree.operator == "=" and (text := _text(tree.right)) is not None:
        return _is_text(tree.left, text, type_name)
    if isinstance(tree, Binary) and tree.operator in _OPERATORS:
        return _OPERATORS[tree.operator](_told(tree.left, type_name), _told(tree.right, type_name))
    if isinstance(tree, Chain) and isinstance(tree.right, Call):
        if tree.right.name == "not" and not tree.right.arguments:
            return _negated(_told(tree.left, type_name))
        if tree.right.name in _WHEN_EMPTY:
            return _of_path(tree.left, tree.right, type_name)
    return lambda value: None


def _text(tree: Tree) -> str | None:
    """The text that a constant is."""
    match tree:
        case Literal((str(text),)):
            return text
        case Variable("ucum"):
            return UCUM
    return None


def _is_text(left: Tree, text: str, type_name: str) -> Presence:
    """Whether a primitive element is this text, where it has a value; without one the comparison has no answer."""
    wanted = members(type_name).get(left.name, ()) if isinstance(left, Member) else ()
    if len(wanted) != 1 or wanted[0].type not in _TEXTS or wanted[0].many:
        return lambda value: None
    key = wanted[0].key

    def told(value: Mapping[str, Any]) -> bool | None:
        found = value.get(key)
        return found == text if isinstance(found, str) else None

    return told


def _of_path(path: Tree, last: Call, type_name: str) -> Presence:
    """What the last function says of a path: nothing stands there when its first element is not there."""
    whole = isinstance(path, Member) and not last.arguments and last.name in ("exists", "empty")
    first = path
    while isinstance(first, Chain) and (isinstance(first.right, Member) or first.right.name in _KEEP_EMPTY):
        first = first.left
    wanted = members(type_name).get(first.name, ()) if isinstance(first, Member) else ()
    if not wanted:
        return lambda value: None
    absent = frozenset(name for member in wanted for name in (member.key, member.sibling) if name).isdisjoint
    when_empty = _WHEN_EMPTY[last.name]
    otherwise = not when_empty if whole else None
    return lambda value: when_empty if absent(value) else otherwise


def _negated(inner: Presence) -> Presence:
    def told(value: Mapping[str, Any]) -> bool | None:
        known = inner(value)
        return None if known is None else not known

    return told


def _or(left: Presence, right: Presence) -> Presence:
    def told(value: Mapping[str, Any]) -> bool | None:
        one = left(value)
        if one:
            return True
        other = right(value)
        return True if other else False if one is False and other is False else None

    return told


def _and(left: Presence, right: Presence) -> Presence:
    return _negated(_or(_negated(left), _negated(right)))


def _implies(left: Presence, right: Presence) -> Presence:
    return _or(_negated(left), right)


def _equal(left: Presence, right: Presence) -> Presence:
    def told(value: Mapping[str, Any]) -> bool | None:
        one, other = left(value), right(value)
        return None if one is None or other is None else one is other

    return told


def _differ(left: Presence, right: Presence) -> Presence:
    return _negated(_equal(left, right))


_OPERATORS: dict[str, Callable[[Presence, Presence], Presence]] = {
    "or": _or,
    "and": _and,
    "implies": _implies,
    "=": _equal,
    "!=": _differ,
    "xor": _differ,
}

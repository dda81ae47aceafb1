"""`_filter`: comparisons, `and`, `or`, `not (…)` and brackets.

Enters: the text of a filter. Leaves: what it asks of a resource. `and` and `or` are read from left to right, neither
binds closer; `ne` holds when one of the values is another one, `not (… eq …)` when none is the one.
Spec: http://hl7.org/fhir/R4/search_filter.html
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Iterator
from functools import partial
from typing import NamedTuple

from tests.property.search.definitions import Parameter, Resource, Value, parameters
from tests.property.search.ranges import PREFIXES, dates, of_date, overlaps
from tests.property.search.texts import escaped, folded, strings
from tests.property.search.tokens import codes, has_code, target
from tests.property.search.world import World

Holds = Callable[[Resource], bool]
_WORD = re.compile(r'"(?:[^"\\]|\\.)*"|[()]|[^\s()"]+')
MODIFIERS = {
    "co": "contains",
    "sw": "",
    "ss": "above",
    "sb": "below",
    "in": "in",
    "ni": "not-in",
    "re": "",
    "eq": "",
} | {"identifier": "identifier"}
"""Operations that mean what a parameter means with this modifier."""


class Comparison(NamedTuple):
    """`parameter operation value`."""

    name: str
    operation: str
    value: str


class _Reader:
    """The words of a filter, one after the other. compared: makes a condition of a comparison"""

    def __init__(self, text: str, compared: Callable[[Comparison], Holds]) -> None:
        self.words, self.compared = _WORD.findall(text), compared

    def joined(self) -> Holds:
        found = self._one()
        while self.words and self.words[0] in ("and", "or"):
            found = _both(found, self._one()) if self.words.pop(0) == "and" else _either(found, self._one())
        return found

    def _one(self) -> Holds:
        word = self.words.pop(0)
        if word == "not":
            inner = self._one()
            return lambda resource: not inner(resource)
        if word == "(":
            inner = self.joined()
            assert self.words.pop(0) == ")"
            return inner
        operation, value = self.words.pop(0), self.words.pop(0)
        return self.compared(Comparison(word, operation, json.loads(value) if value[0] == '"' else value))


def _both(one: Holds, other: Holds) -> Holds:
    return lambda resource: one(resource) and other(resource)


def _either(one: Holds, other: Holds) -> Holds:
    return lambda resource: one(resource) or other(resource)


def filter_condition(world: World, resource_type: str, text: str, asked: Callable[[str, str, str], Holds]) -> Holds:
    """What a filter asks of a resource. asked: type, name and text of a parameter → what that asks"""
    return _Reader(text, partial(_compared, world, resource_type, asked)).joined()


def _compared(world: World, resource_type: str, asked: Callable[[str, str, str], Holds], one: Comparison) -> Holds:
    if one.operation == "pr":
        return asked(resource_type, f"{one.name}:missing", "false" if one.value == "true" else "true")
    parameter = parameters(resource_type)[one.name]
    text = "|".join(map(escaped, one.value.split("|"))) if "|" in one.value else escaped(one.value)
    if parameter.type in ("date", "number", "quantity") and one.operation in PREFIXES:
        return asked(resource_type, one.name, f"{one.operation}{text}")
    if one.operation in ("ne", "ew", "po") or (parameter.type, one.operation) == ("string", "eq"):
        return lambda resource: any(
            _differently(world, resource_type, parameter, one, value) for value in world.values(resource, parameter)
        )
    modifier = MODIFIERS[one.operation]
    return asked(resource_type, f"{one.name}:{modifier}" if modifier else one.name, text)


def _differently(world: World, resource_type: str, parameter: Parameter, one: Comparison, value: Value) -> bool:
    """Operations that no modifier means."""
    match parameter.type, one.operation:
        case "string", "eq":
            return any(folded(text) == folded(one.value) for text in strings(value))
        case "string", "ne":
            return any(folded(text) != folded(one.value) for text in strings(value))
        case "string", _:
            return any(folded(text).endswith(folded(one.value)) for text in strings(value))
        case "token", _:
            implied = world.implied_system(resource_type, parameter) if value.type == "code" else ""
            found = [code for code in codes(value, implied) if code.code or code.system]
            return not all(has_code(code, escaped_token(one.value)) for code in found)
        case "date", _:
            return any(overlaps(of_date(one.value), own) for own in dates(value))
        case "reference", _:
            asked = one.value.removeprefix(f"{world.base}/")
            return any(text != asked for text in _addresses(world, value, asked))
    return bool(value.data != one.value)


def escaped_token(text: str) -> str:
    """A code with or without its system, as a query writes it; a bar parts them."""
    return "|".join(map(escaped, text.split("|")))


def _addresses(world: World, value: Value, asked: str) -> Iterator[str]:
    """How a reference can be written in the way that is asked for: by id, by type and id, by address."""
    found = target(value)
    if found is None:
        return
    if found.type:
        yield found.id if "/" not in asked else f"{found.type}/{found.id}"
    elif value.type == "Reference":
        yield found.id.removeprefix(f"{world.base}/")
    else:
        yield from {found.id, found.id.partition("|")[0]}

"""A slow search: every resource is looked at, every condition by the words of the specification.

Enters: a world, a resource type and the text of a query. Leaves: ids in the order that was asked for. Nothing of the
server's search is used. Contained resources are not searched, as the specification has it without `_contained`.
Spec: http://hl7.org/fhir/R4/search.html

Where the specification leaves a choice (docs/search.md has those of the server):
- several values after `:not` and `:not-in`: resources that match none of them; those without a value among them
- `:text` is a string search: it finds what begins with the text
- a value is missing when there is nothing that the parameter could find: a reference without address and identifier
- `_list` finds what the entries of a list refer to, whatever their flag says
- `:above` and `:below` of references follow partOf, of addresses they cut at a `/`
- an address elsewhere may be of any type: `patient` finds it
- a chain follows relative references, and canonical addresses: `url|1` to version 1, `url` to every version
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Sequence
from functools import partial
from typing import NamedTuple
from urllib.parse import parse_qsl

from tests.property.search.awaited import is_awaited
from tests.property.search.definitions import Parameter, Resource, Value, parameters, wanted_target
from tests.property.search.filters import filter_condition
from tests.property.search.near import is_near
from tests.property.search.numbers import amounts, number_matches, quantity_matches
from tests.property.search.ordering import in_order
from tests.property.search.ranges import date_matches, dates
from tests.property.search.texts import parts, plain, string_matches, strings, uri_matches
from tests.property.search.tokens import (
    Code,
    Target,
    codes,
    has_code,
    has_label,
    is_of_type,
    labels,
    leads_to,
    target,
)
from tests.property.search.world import World

PART_OF = {"Organization": "partof", "Location": "partof", "Encounter": "part-of"}
"""The parameter by which a resource is part of another of its type."""
CONTROLS = {"_sort", "_count", "_total", "_summary", "_elements", "_format"}
Condition = Callable[[Resource], bool]


def answer(world: World, resource_type: str, query: str) -> list[str]:
    """Ids of all matches, in the order of `_sort`, else in that of their creation."""
    asked = parse_qsl(query, keep_blank_values=True)
    conditions = [condition(world, resource_type, name, text) for name, text in asked if name not in CONTROLS]
    found = [each for each in world.by_type.get(resource_type, ()) if all(one(each) for one in conditions)]
    return [each["id"] for each in in_order(world, resource_type, found, dict(asked).get("_sort", ""))]


def agree(query: str, got: Sequence[str] | Exception, expected: Sequence[str]) -> bool:
    """Whether a server's answer is the evaluator's. Without `_sort` a chain may come in any order, each match once."""
    if isinstance(got, Exception) or "_sort" in query or not _has_chain(query):
        return got == expected
    return sorted(got) == sorted(expected)


def _has_chain(query: str) -> bool:
    names = [name for name, _ in parse_qsl(query, keep_blank_values=True)]
    return any("." in name and not name.startswith("_has:") for name in names)


def condition(world: World, resource_type: str, name: str, text: str) -> Condition:
    """What one `name=text` asks of a resource."""
    if name.startswith("_has:"):
        return partial(_is_referred_to, world, name, text)
    if name == "_list":
        return partial(_is_listed, world, text)
    if name == "_filter":
        return filter_condition(world, resource_type, text, partial(condition, world))
    head, dot, rest = name.partition(".")
    code, _, modifier = head.partition(":")
    parameter = parameters(resource_type)[code]
    if dot:
        return partial(_leads_on, world, parameter, modifier, rest, text)
    return partial(_holds, world, parameter, modifier, text)


def _holds(world: World, parameter: Parameter, modifier: str, text: str, resource: Resource) -> bool:
    if modifier == "missing":
        return (text == "true") is not _has_value(world, parameter, resource)
    if modifier in ("not", "not-in"):
        positive = modifier.removeprefix("not").removeprefix("-")
        return not _holds(world, parameter, positive, text, resource)
    return any(_matches(world, parameter, modifier, asked, resource) for asked in parts(text, ","))


def _has_value(world: World, parameter: Parameter, resource: Resource) -> bool:
    if parameter.type == "composite":
        return any(all(found.values()) for found in world.contexts(resource, parameter))
    return any(_can_be_found(parameter, value) for value in world.values(resource, parameter))


def _can_be_found(parameter: Parameter, value: Value) -> bool:
    match parameter.type:
        case "reference":
            identified = isinstance(value.data, dict) and "identifier" in value.data
            return target(value) is not None or (identified and not is_awaited("reference", "identifier"))
        case "token":
            labelled = any(labels(value)) and not is_awaited("token", "text")
            return labelled or any(code.code or code.system for code in codes(value))
        case "string":
            return any(strings(value))
        case "date":
            return any(dates(value))
        case "number" | "quantity":
            return any(amounts(value))
    return True


def _matches(world: World, parameter: Parameter, modifier: str, asked: str, resource: Resource) -> bool:
    """Whether one of the values of a list holds for a resource."""
    if parameter.type == "composite":
        return _composite_matches(world, parameter, asked, resource)
    kind = resource["resourceType"]
    return any(
        _value_matches(world, kind, parameter, modifier, asked, value) for value in world.values(resource, parameter)
    )


def _composite_matches(world: World, parameter: Parameter, asked: str, resource: Resource) -> bool:
    kind, wanted = resource["resourceType"], list(enumerate(zip(parts(asked, "$"), parameter.parts(), strict=True)))
    return any(
        all(
            any(_value_matches(world, kind, part.parameter, "", text, value) for value in found[place])
            for place, (text, part) in wanted
        )
        for found in world.contexts(resource, parameter)
    )


def _value_matches(
    world: World, resource_type: str, parameter: Parameter, modifier: str, asked: str, value: Value
) -> bool:
    match parameter.type:
        case "string":
            return string_matches(value, asked, modifier)
        case "token":
            implied = world.implied_system(resource_type, parameter) if value.type == "code" else ""
            return _token_matches(world, value, asked, modifier, implied)
        case "reference":
            return _reference_matches(world, parameter, value, asked, modifier)
        case "date":
            return date_matches(value, asked, world.now)
        case "number":
            return number_matches(value, asked)
        case "quantity":
            return quantity_matches(value, asked)
        case "uri":
            return uri_matches(value, asked, modifier)
    return is_near(value, asked)


def _token_matches(world: World, value: Value, asked: str, modifier: str, implied: str) -> bool:
    found = list(codes(value, implied))
    match modifier:
        case "text":
            return has_label(value, asked)
        case "of-type":
            return is_of_type(value, asked)
        case "in":
            members = world.value_set(plain(asked))
            return any(Code(one.system or one.implied, one.code) in members for one in found)
        case "below" | "above":
            system, code = (plain(part) for part in parts(asked, "|"))
            wanted = (world.subsumed if modifier == "below" else world.subsuming)(system, code)
            return any((one.system or one.implied) == system and one.code in wanted for one in found)
    return any(has_code(one, asked) for one in found)


def _reference_matches(world: World, parameter: Parameter, value: Value, asked: str, modifier: str) -> bool:
    if modifier == "identifier":
        identifier = value.data.get("identifier") if isinstance(value.data, dict) else None
        return identifier is not None and any(has_code(one, asked) for one in codes(Value("Identifier", identifier)))
    found = target(value)
    if modifier in ("above", "below"):
        if value.type != "Reference":
            texts = {value.data, value.data.partition("|")[0]}
            return any(uri_matches(Value("uri", text), asked, modifier) for text in texts)
        return found in _branch(world, Target(*plain(asked).split("/")), modifier)
    if modifier:
        return found is not None and found == (modifier, plain(asked))
    wanted = wanted_target(parameter.expression)
    return found is not None and leads_to(found, asked, (wanted,) if wanted else parameter.targets, world.base)


def _branch(world: World, start: Target, modifier: str) -> set[Target]:
    """What a resource is part of, or its parts, and the parts of those; itself among them."""
    found, left = {start}, [start]
    parameter = parameters(start.type)[PART_OF[start.type]]
    while left:
        one = left.pop()
        if modifier == "above":
            resource = world.resource(one)
            near = [target(value) for value in world.values(resource, parameter)] if resource else []
        else:
            near = [
                Target(start.type, each["id"])
                for each in world.by_type[start.type]
                if one in (target(value) for value in world.values(each, parameter))
            ]
        left += [each for each in near if each and each.type == start.type and each not in found]
        found.update(left)
    return found


def _leads_on(world: World, parameter: Parameter, wanted: str, rest: str, text: str, resource: Resource) -> bool:
    """Whether a reference of the resource leads to one for which the rest of a chain holds."""
    return any(
        condition(world, end["resourceType"], rest, text)(end)
        for end in _ends(world, resource, parameter)
        if wanted in ("", end["resourceType"]) and _can_be_asked(end["resourceType"], rest)
    )


def _ends(world: World, resource: Resource, parameter: Parameter) -> Iterator[Resource]:
    for end in world.ends(resource, parameter):
        if not parameter.targets or end["resourceType"] in parameter.targets:
            yield end


def _can_be_asked(resource_type: str, rest: str) -> bool:
    """Whether a type has the parameter that the next link of a chain names."""
    code = re.split(r"[.:]", rest)[0]
    return code in parameters(resource_type) or code in ("_has", "_list", "_filter")


class _Reverse(NamedTuple):
    """`_has:Type:reference:rest`."""

    type: str
    reference: str
    rest: str


def _is_referred_to(world: World, name: str, text: str, resource: Resource) -> bool:
    """Whether some resource of a type refers to this one, and the rest holds for it."""
    asked = _Reverse(*name.split(":", 3)[1:])
    parameter = parameters(asked.type)[asked.reference]
    holds = condition(world, asked.type, asked.rest, text)
    return any(
        holds(other)
        for other in world.by_type.get(asked.type, ())
        if any(end is resource for end in _ends(world, other, parameter))
    )


def _is_listed(world: World, text: str, resource: Resource) -> bool:
    """Whether one of the lists refers to the resource."""
    address = (resource["resourceType"], resource["id"])
    for name in parts(text, ","):
        for each in world.by_type.get("List", ()):
            if each["id"] == name:
                items = (Value("Reference", entry["item"]) for entry in each.get("entry", ()))
                if any(target(item) == address for item in items):
                    return True
    return False

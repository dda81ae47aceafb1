"""The quick way to find that nothing is wrong with a resource, which is so for nearly all of them.

Enters: an accepted resource. Leaves: True when it surely breaks no rule that is an error; False when it breaks one or
that cannot be told here: the walk of `base.py` decides. What there is to look at in each type is compiled once to
closures over the decoded JSON; no node is made, no expression evaluated.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from threading import Lock
from typing import Any

from ecluse.core.fhir import narrative
from ecluse.core.fhir.definitions.rules import Rule
from ecluse.core.fhir.definitions.value_sets import GRAMMARS, codes_of, is_member
from ecluse.core.fhir.fhirpath.presence import Presence
from ecluse.core.fhir.validation.binding import misfit
from ecluse.core.fhir.validation.plan import Check, plan

HOLDERS = frozenset({"Bundle", "Parameters"})
"""Their entries are resources of their own, with references among themselves: left to the walk."""
_OF_CONTAINED = frozenset({"dom-2", "dom-3", "dom-4", "dom-5"})
"""Rules that are told by what is contained: dom-3 by the references that were met, the others by these members."""
_OF_CONTAINED_NOT = frozenset({"contained", "meta"})
_ADDRESS_ALONE = frozenset({"reference", "display"})


class Around:
    """What the references of a resource may lead to, and the fragments that they named."""

    __slots__ = ("addresses", "contained", "fragments")

    def __init__(self, resource: Mapping[str, Any], addresses: Mapping[str, str]) -> None:
        """addresses: fullUrl → resource type of what the bundle around writes"""
        self.addresses = addresses
        self.contained = {f"#{one.get('id')}": one["resourceType"] for one in resource.get("contained", ())}
        self.fragments: set[str] = set()

    def kind(self, link: str) -> str | None:
        """The type that a link leads to, when its text or what is around says so."""
        if link.startswith("#"):
            self.fragments.add(link)
            return self.contained.get(link)
        kind, mark, _ = link.partition("?" if "?" in link else "/")
        return kind if mark else self.addresses.get(link)


Sound = Callable[[Any, Around], bool]
_Key = tuple[str, bool]
_made: dict[_Key, Sound] = {}
_making = Lock()
"""Closures are made by one thread at a time and shown to others when they are whole."""


def is_sound(resource: dict[str, Any], addresses: Mapping[str, str], *, extensions: bool) -> bool:
    """Whether an accepted resource surely breaks no rule. extensions: False when it surely holds none"""
    kind = resource["resourceType"]
    if kind in HOLDERS:
        return False
    around = Around(resource, addresses)
    return _of_type(kind, extensions)(resource, around) and around.contained.keys() <= around.fragments


def _of_type(type_name: str, extensions: bool) -> Sound:
    """The closure of a type, made at first use."""
    sound = _made.get((type_name, extensions))
    if sound is None:
        with _making:
            made = dict(_made)
            sound = _object(type_name, extensions, made)
            _made.update(made)
    return sound


def _object(type_name: str, extensions: bool, made: dict[_Key, Sound]) -> Sound:
    """The closure of a type, and in `made` those of the types below; a type may stand below itself."""
    key = (type_name, extensions)
    if key in made:
        return made[key]
    rules, checks, bare, _ = plan(type_name)
    told = _told(rules)
    members: dict[str, Sound] = {}
    find = members.get

    def sound(value: Mapping[str, Any], around: Around) -> bool:
        for is_met in told:
            if not is_met(value):
                return False
        for name in value:
            check = find(name)
            if check is not None and not check(value[name], around):
                return False
        return True

    made[key] = sound
    for name, check in (checks if extensions else bare).items():
        members[name] = _member(check, extensions, made)
    return sound


def _told(rules: tuple[Rule, ...]) -> tuple[Presence, ...]:
    """What tells of the rules that are errors, but for those about contained resources."""
    return tuple(rule.told for rule in rules if rule.severity == "error" and rule.key not in _OF_CONTAINED)


def _member(check: Check, extensions: bool, made: dict[_Key, Sound]) -> Sound:
    """The closure of all values of a member."""
    member = check.member
    if {rule.key for rule in check.rules if rule.severity == "error"} == {"txt-1"}:
        return _narrative
    if check.beside or (member.primitive and _told(check.rules)):
        return _unsure
    if member.type == "Resource":
        return _contained(extensions) if member.name == "contained" else _unsure
    parts: list[Sound] = [_bound(check.value_set, member.primitive)] if check.value_set else []
    parts += [_met(is_met) for is_met in _told(check.rules)]
    if not member.primitive:
        inner = _object(member.type, extensions, made)
        parts.append(_reference(frozenset(check.targets), inner) if check.targets else inner)
    one = _all(parts)
    return _each(one) if member.many else one


def _all(parts: list[Sound]) -> Sound:
    first, *more = parts
    if not more:
        return first
    rest = _all(more)
    return lambda value, around: first(value, around) and rest(value, around)


def _met(told: Presence) -> Sound:
    return lambda value, _: bool(told(value))


def _narrative(div: str, _: Around) -> bool:
    return not narrative.problem(div)


def _each(one: Sound) -> Sound:
    def sound(values: list[Any], around: Around) -> bool:
        for value in values:
            if value is not None and not one(value, around):
                return False
        return True

    return sound


def _bound(value_set: str, primitive: bool) -> Sound:
    """The closure of a required binding."""
    if not primitive:
        return lambda value, _: not misfit(value, value_set)
    known = codes_of(value_set)
    if known is None or value_set.partition("|")[0] in GRAMMARS:
        return lambda value, _: is_member(value_set, value) is not False
    codes = frozenset().union(*known.values())
    return lambda value, _: value in codes


def _reference(allowed: frozenset[str], inner: Sound) -> Sound:
    """The closure of a reference to some types. inner: of what else it may hold, an identifier"""

    def sound(value: Mapping[str, Any], around: Around) -> bool:
        if not value.keys() <= _ADDRESS_ALONE and ("type" in value or not inner(value, around)):
            return False
        link = value.get("reference")
        return link is None or around.kind(link) in allowed

    return sound


def _contained(extensions: bool) -> Sound:
    """The closure of contained resources, none of which contains others or has metadata."""

    def sound(values: list[Any], around: Around) -> bool:
        for one in values:
            if not _OF_CONTAINED_NOT.isdisjoint(one) or not _of_type(one["resourceType"], extensions)(one, around):
                return False
        return True

    return sound


def _unsure(_: Any, __: Around) -> bool:
    return False

"""The functions that FHIR adds, and those that know the world outside of the resource.

Spec: http://hl7.org/fhir/R4/fhirpath.html#functions, http://hl7.org/fhirpath/N1/#utility-functions
"""

from __future__ import annotations

import re
from typing import Any

from ecluse.core import clock
from ecluse.core.fhir import narrative
from ecluse.core.fhir.definitions.structures import structures
from ecluse.core.fhir.fhirpath import nodes, temporal
from ecluse.core.fhir.fhirpath.failures import FhirPathError
from ecluse.core.fhir.fhirpath.functions.registry import (
    Evaluate,
    Items,
    Step,
    made_of_arguments,
    of_items,
    single,
)
from ecluse.core.fhir.fhirpath.nodes import Node, system
from ecluse.core.fhir.fhirpath.scope import Scope

_ADDRESS = re.compile(r"(?:.*/)?([A-Z][A-Za-z]+)/([A-Za-z0-9.-]{1,64})(?:/_history/[A-Za-z0-9.-]{1,64})?")
_EXTENSION = nodes.members("Element")["extension"]


@made_of_arguments("extension", 1)
def extension(url: Evaluate) -> Step:
    """The extensions of this address."""

    def step(items: Items, scope: Scope) -> Items:
        wanted = single(url(scope), "extension", (str,))
        return [one for one in _extensions(items) if one.value.get("url") == wanted]

    return step


@made_of_arguments("hasExtension", 1)
def has_extension(url: Evaluate) -> Step:
    """Whether there is an extension of this address."""
    find = extension(url)
    return lambda items, scope: [bool(find(items, scope))]


def _extensions(items: Items) -> list[Any]:
    found: Items = []
    for item in items:
        if type(item) is Node:
            nodes.collect(item, nodes.members(item.type).get("extension", _EXTENSION), found)
    return [one for one in found if type(one.value) is dict]


@made_of_arguments("resolve", 0)
def resolve() -> Step:
    """The resources that references and canonicals lead to.

    What the caller's `resolve` knows; when it lends none, contained resources and the entries of the bundle around. Of
    another one that an address names there is only its type and id: enough for `resolve() is Patient`."""

    def step(items: Items, scope: Scope) -> Items:
        found = [_resolved(item, scope) for item in items]
        return [one for one in found if one is not None]

    return step


def _resolved(item: Any, scope: Scope) -> Node | None:
    link = item.value.get("reference") if type(item) is Node and type(item.value) is dict else system(item)
    if not isinstance(link, str):
        return None
    if type(item) is Node:
        given = scope.evaluation.given.resolve
        found = given(link, item) if given else local(link, item)
        if found is not None:
            return found
    return _of_address(link)


def local(link: str, node: Node) -> Node | None:
    """The contained resource, or entry of the bundle around a node, that a link names."""
    if link.startswith("#"):
        holder = container(node)
        return holder if link == "#" or holder is None else contained(holder).get(link[1:])
    return entries(_top(node)).get(link)


def container(node: Node) -> Node | None:
    """The resource around a node that is not contained itself."""
    holder: Node | None = node
    while holder is not None and (holder.type not in structures().resources or holder.member.name == "contained"):
        holder = holder.parent
    return holder


def contained(holder: Node) -> dict[str, Node]:
    """The contained resources of a resource by id."""
    inside: Items = []
    nodes.collect(holder, nodes.members(holder.type).get("contained", ()), inside)
    return {one.value["id"]: one for one in inside if type(one.value) is dict and isinstance(one.value.get("id"), str)}


def entries(top: Node) -> dict[str, Node]:
    """The resources of a bundle's entries by fullUrl, and by type and id when the fullUrl ends in them."""
    inside: Items = []
    if top.type == "Bundle":
        nodes.collect(top, nodes.members("Bundle")["entry"], inside)
    found: dict[str, Node] = {}
    for entry in inside:
        url = entry.value.get("fullUrl") if type(entry.value) is dict else None
        resources: Items = []
        nodes.collect(entry, nodes.members(entry.type)["resource"], resources)
        if isinstance(url, str) and resources:
            found.setdefault(url, resources[0])
            if address := _ADDRESS.fullmatch(url):
                found.setdefault(f"{address[1]}/{address[2]}", resources[0])
    return found


def _top(node: Node) -> Node:
    while node.parent is not None:
        node = node.parent
    return node


def _of_address(link: str) -> Node | None:
    found = _ADDRESS.fullmatch(link)
    if found is None or found[1] not in structures().resources:
        return None
    return nodes.root({"resourceType": found[1], "id": found[2]})


@of_items("htmlChecks")
def html_checks(items: Items) -> Items:
    """Whether a narrative is the XHTML that FHIR allows.

    Spec: http://hl7.org/fhir/R4/narrative.html#xhtml"""
    value = single(items, "htmlChecks")
    return [narrative.problem(value) == "" if isinstance(value, str) else value is None or type(value) is Node]


@of_items("htmlChecks2")
def html_has_content(items: Items) -> Items:
    """Whether a narrative shows something. The name is that of a later version of FHIR; R4 has one for both checks."""
    value = single(items, "htmlChecks2")
    return [not narrative.is_empty(value) if isinstance(value, str) else True]


@made_of_arguments("memberOf", 1)
def member_of(value_set: Evaluate) -> Step:
    """Whether a code is in a value set."""

    def step(items: Items, scope: Scope) -> Items:
        url = single(value_set(scope), "memberOf", (str,))
        if not items or url is None:
            return []
        if scope.evaluation.given.member_of is None:
            raise FhirPathError("memberOf() needs terminology, which is not at hand here.")
        answer = scope.evaluation.given.member_of(items[0], url)
        return [] if answer is None else [answer]

    return step


@made_of_arguments("conformsTo", 1)
def conforms_to(profile: Evaluate) -> Step:
    """Whether an element conforms to a profile."""

    def step(items: Items, scope: Scope) -> Items:
        url = single(profile(scope), "conformsTo", (str,))
        if not items or url is None or type(items[0]) is not Node:
            return []
        if scope.evaluation.given.conforms_to is None:
            raise FhirPathError("conformsTo() needs profiles, which are not at hand here.")
        answer = scope.evaluation.given.conforms_to(items[0], url)
        return [] if answer is None else [answer]

    return step


@of_items("type")
def type_of(items: Items) -> Items:
    """Namespace, name and base type of each item."""
    return [nodes.type_info(item) for item in items]


@made_of_arguments("now", 0)
def now() -> Step:
    """The moment of the evaluation."""
    return lambda items, scope: [_now(scope)]


@made_of_arguments("today", 0)
def today() -> Step:
    """The day of the evaluation."""
    return lambda items, scope: [temporal.Temporal("Date", _now(scope).fields[:3])]


@made_of_arguments("timeOfDay", 0)
def time_of_day() -> Step:
    """The time of the evaluation."""
    return lambda items, scope: [temporal.Temporal("Time", _now(scope).fields[3:])]


def _now(scope: Scope) -> temporal.Temporal:
    moment = temporal.read(clock.instant_text(scope.evaluation.now), "DateTime")
    assert moment is not None
    return moment

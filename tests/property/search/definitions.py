"""The search parameters as R4 publishes them, and what their official expressions find in a resource.

Enters: the npm package's SearchParameter files and a resource. Leaves: values, each with the name of its data type.
Nothing of the server is used; expressions are evaluated by fhirpathpy.
Spec: http://hl7.org/fhir/R4/searchparameter-registry.html
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from functools import cache
from typing import Any, NamedTuple

import fhirpathpy
from fhirpathpy.engine.nodes import ResourceNode, TypeInfo
from fhirpathpy.models import models

from tests.official import official_files

MODEL = models["r4"]
Resource = dict[str, Any]


class Component(NamedTuple):
    """A part of a composite parameter: the parameter it is asked as, and where its value stands in the context."""

    parameter: Parameter
    expression: str


class Parameter(NamedTuple):
    """One search parameter of one resource type. bases: all types that share it; targets: types it may point to."""

    code: str
    type: str
    expression: str
    bases: tuple[str, ...]
    targets: tuple[str, ...] = ()
    components: tuple[tuple[str, str], ...] = ()

    def parts(self) -> list[Component]:
        """The components of a composite. DocumentReference.relationship is published with its two definitions
        exchanged: a code is no reference; the expressions tell which is which."""
        urls, expressions = zip(*self.components, strict=True)
        ordered = reversed(urls) if self.code == "relationship" else urls
        return [Component(_by_url()[url], expression) for url, expression in zip(ordered, expressions, strict=True)]


class Value(NamedTuple):
    """What an expression found. type: "dateTime", "Quantity", "Coding" …"""

    type: str
    data: Any


@cache
def _by_url() -> dict[str, Parameter]:
    found = {}
    for file in official_files():
        if file.name.startswith("SearchParameter-") and not file.name.startswith("SearchParameter-example"):
            item = json.loads(file.read_bytes())
            components = tuple((part["definition"], part["expression"]) for part in item.get("component", ()))
            found[item["url"]] = Parameter(
                item.get("code", ""),
                item.get("type", ""),
                item.get("expression", ""),
                tuple(item.get("base", ())),
                tuple(item.get("target", ())),
                components,
            )
    return found


@cache
def parameters(resource_type: str) -> dict[str, Parameter]:
    """The parameters of a type that have an expression, by code, those of every type among them; not the two that lead
    into the first entry of a Bundle, which is no resource of its own."""
    return {
        one.code: one
        for one in _by_url().values()
        if one.expression and ("Resource" in one.bases or resource_type in one.bases)
        if "entry[0]" not in one.expression
    }


def values(resource: Resource, parameter: Parameter) -> list[Value]:
    """What the parameter's expression finds in the resource, targets of references not yet looked at."""
    return list(_evaluated(resource, tuple(branches(parameter.expression, resource["resourceType"]))))


def contexts(resource: Resource, parameter: Parameter) -> Iterator[dict[int, list[Value]]]:
    """The values of each component of a composite, by its place, in each element that the composite stands on."""
    kind = resource["resourceType"]
    for branch in branches(parameter.expression, kind):
        for number in range(len(_compiled(branch)(resource))):
            inside = branch if branch == kind else f"({branch})[{number}]"
            yield {
                place: list(_evaluated(resource, tuple(_inside(inside, part.expression, kind))))
                for place, part in enumerate(parameter.parts())
            }


def branches(expression: str, resource_type: str) -> list[str]:
    """The branches of a union that this type can answer, as fhirpathpy evaluates them: `as` is meant for each value of
    a collection, FHIRPath has it for one only; Resource is the type itself; whether a target has the type that
    `resolve()` asks for is seen from the reference."""
    found = [re.sub(r"^Resource\b", resource_type, _each(branch)) for branch in expression.split("|")]
    found = [f"{resource_type}.{branch}" if branch[0].islower() else branch for branch in found]
    return [branch for branch in found if re.match(rf"\(?{resource_type}\b", branch)]


def wanted_target(expression: str) -> str:
    """The type that `resolve() is T` asks of a target, "" when none."""
    found = re.search(r"resolve\(\) is (\w+)", expression)
    return found.group(1) if found else ""


def _each(branch: str) -> str:
    text = re.sub(r"\.where\(resolve\(\) is \w+\)", "", branch.strip())
    text = re.sub(r"\(([\w.]+) as (\w+)\)", r"\1.where($this is \2)", text)
    text = re.sub(r"\.as\((\w+)\)", lambda found: f".where($this is {_primitive(found.group(1))})", text)
    return re.sub(r"hasExtension\(('[^']+')\)", r"extension(\1).exists()", text)


def _primitive(name: str) -> str:
    return "dateTime" if name == "DateTime" else name


def _inside(context: str, expression: str, resource_type: str) -> list[str]:
    return [
        _each(branch).replace("%resource", resource_type) if "%resource" in branch else f"{context}.{_each(branch)}"
        for branch in expression.split("|")
    ]


def _evaluated(resource: Resource, expressions: tuple[str, ...]) -> Iterator[Value]:
    for expression in expressions:
        for node in _compiled(expression)(resource):
            if isinstance(node, ResourceNode):
                yield Value(TypeInfo.from_value(node).name, node.data)
            else:
                yield Value("boolean", node)


@cache
def _compiled(expression: str) -> Any:
    return fhirpathpy.compile(expression, MODEL, {"returnRawData": True})

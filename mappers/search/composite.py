"""Composite parameters: values that belong together, like a code and its quantity.

Enters: a composite parameter of a type. Leaves: its contexts, each with the paths of its components. A composite has no
rows of its own: it holds when rows of its components match that stand in the same item of the context. What stands
outside of the item, and in a context that does not repeat, only has to stand in the same resource.
Spec: http://hl7.org/fhir/R4/search.html#composite
"""

from __future__ import annotations

from functools import cache
from typing import NamedTuple

from ecluse.core.fhir.definitions.expressions import Path, ends, parse, rendered
from ecluse.core.fhir.definitions.indexed import normalised
from ecluse.core.fhir.definitions.search_parameters import CANONICAL, Parameter, parameters, paths_of
from ecluse.core.fhir.types import number_of

RESOURCE = "%resource."
RELATION = (("DocumentReference-relation", "code"), ("DocumentReference-relatesto", "target"))
CORRECTED = {"DocumentReference.relationship": RELATION}
"""Components of R4 whose definitions and expressions do not belong together."""


class Component(NamedTuple):
    """One part: the parameter that says how it is read, and the paths under which its rows stand. together: whether
    these rows are those of one item"""

    parameter: Parameter
    together: bool


class Context(NamedTuple):
    """Where the parts stand: the element, and the parts in their order. repeats: whether a resource may have several"""

    path: str
    repeats: bool
    components: tuple[Component, ...]


@cache
def contexts(resource_type: str, code: str) -> tuple[Context, ...]:
    """The contexts of a composite parameter of R4; those without rows for every component are left out."""
    parameter = parameters(resource_type)[code]
    found = [_context(resource_type, path, parameter) for path in parse(parameter.expression)]
    return tuple(context for context in found if context is not None)


def _context(resource_type: str, path: Path, parameter: Parameter) -> Context | None:
    if path[0].name != resource_type:
        return None
    repeats = len(path) > 1 and any(end.many for end in ends(path))
    parts = CORRECTED.get(f"{resource_type}.{parameter.code}", parameter.components)
    components = [_component(path, url, text, repeats=repeats) for url, text in parts]
    known = tuple(component for component in components if component is not None)
    return Context(rendered(path), repeats, known) if len(known) == len(parts) else None


def _component(context: Path, url: str, text: str, *, repeats: bool) -> Component | None:
    """The part of a composite that the parameter of this address defines, as it stands in this context."""
    defined = by_url()[CANONICAL + url]
    outside = text.startswith(RESOURCE)
    start = context[:1] if outside else context
    branches = [(*start, *branch) for branch in relative(text.removeprefix(RESOURCE))]
    numbers = {(one.kind, one.text): one.number for one in paths_of(context[0].name)}
    found = [numbers.get((defined.type, rendered(path))) for path in normalised(branches, defined.type)]
    known = tuple(number for number in found if number is not None)
    if not known or len(known) < len(found):
        return None
    return Component(
        Parameter(defined.code, defined.type, defined.url, text, known, defined.targets), repeats and not outside
    )


def relative(text: str) -> list[Path]:
    """The paths of an expression that begins inside of a context. Raises: Unsupported when it is of another kind"""
    whole = " | ".join(f"X.{branch.strip()}" for branch in text.split("|"))
    return [path[1:] for path in parse(whole)]


@cache
def by_url() -> dict[str, Parameter]:
    """R4's own parameters by their canonical address."""
    return {one.url: one for name in number_of for one in parameters(name).values()}


@cache
def items_of(resource_type: str) -> frozenset[str]:
    """The repeating elements of a type whose items are told apart in the rows under them; in R4 all stand in the
    resource itself."""
    own = [one for one in parameters(resource_type).values() if one.type == "composite"]
    found = [context for parameter in own for context in contexts(resource_type, parameter.code) if context.repeats]
    return frozenset(context.path.partition(".")[2] for context in found)

"""What a composite SearchParameter asks for: which parts, and where they stand together.

Enters: contexts, components and the parameters that define these. Leaves: for each resource type the parts in each
context. Parts of what repeats in a resource have to stand in one item of it. Of items that R4's own composites tell
apart (`Observation.component`) the walk over resources takes the rows; any other context is evaluated, and each part
for each of its items.
Spec: http://hl7.org/fhir/R4/search.html#composite
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from typing import Any, NamedTuple

from ecluse.core.errors import Issue, Unprocessable
from ecluse.core.fhir.definitions.expressions import Path, Step, Unsupported, ends, parse, rendered
from ecluse.core.fhir.definitions.search_parameters import Parameter
from mappers.search.composite import RESOURCE, items_of, relative
from mappers.search.reading import Part, Reading, can_be_walked, checked, chosen, nothing, read_by, rooted
from mappers.search.walk import READERS

Known = Callable[[str], Parameter | None]
"""The parameter of a canonical address."""
PARTS = tuple(kind for kind in READERS if kind != "special")
"""The search types that a part may have."""
WITHOUT_ITEM = "string"
"""The search type whose rows do not say from which item they were taken."""


class _Wanted(NamedTuple):
    """A component: its parameter, its expression, and the place of that in the SearchParameter."""

    parameter: Parameter
    text: str
    place: str


class _Context(NamedTuple):
    """Where parts stand, in a resource of a type. path: None when it can only be evaluated; text: as FHIRPath; repeats:
    whether there may be several"""

    type: str
    path: Path | None
    text: str
    repeats: bool


def composed(resource: dict[str, Any], types: Iterable[str], known: Known, place: str) -> dict[str, Reading]:
    """What is read in each type. Raises: Unprocessable (422) with every place that cannot be served"""
    issues: list[Issue] = []
    wanted = list(_wanted(resource, known, place, issues))
    if issues:
        raise Unprocessable(issues=issues)
    found: dict[str, Reading] = {}
    for name in types:
        try:
            own = _contexts(resource["expression"], name, place)
            found[name] = Reading((), "", (), tuple(tuple(_parts(context, wanted)) for context in own))
        except Unsupported as error:
            issues.append(Issue(f"{error}.", f"{place}.expression", resource["expression"], "not-supported"))
        except Unprocessable as error:
            issues += error.issues
    if issues:
        raise Unprocessable(issues=issues)
    return found


def _wanted(resource: dict[str, Any], known: Known, place: str, issues: list[Issue]) -> Iterator[_Wanted]:
    components = resource.get("component", ())
    if not components:
        issues.append(Issue("Write the parts of the composite.", f"{place}.component", "", "required"))
    for at, one in enumerate(components):
        where, url = f"{place}.component[{at}]", one["definition"].partition("|")[0]
        parameter = known(url)
        if parameter is None:
            text = "There is no such search parameter here: store it first, or name one of R4's."
            issues.append(Issue(text, f"{where}.definition", url, "not-found"))
        elif parameter.type not in PARTS:
            text = f"{parameter.type} parameters are no parts of composites; those of {', '.join(PARTS)} are."
            issues.append(Issue(text, f"{where}.definition", url, "not-supported"))
        else:
            yield _Wanted(parameter, one["expression"], where)


def _contexts(text: str, name: str, place: str) -> list[_Context]:
    """The contexts in resources of a type. Raises: Unsupported, Unprocessable (422)"""
    try:
        branches = parse(text)
    except Unsupported:
        checked(text, place)
        return [_Context(name, None, text, repeats=True)]
    own = [chosen(path) for path in map(rooted(name), branches) if path[0].name == name]
    if not own:
        raise Unsupported(nothing(own, name, "composite"))
    return [_context(name, path) for path in own]


def _context(name: str, path: Path) -> _Context:
    several = any(end.many for end in ends(path))
    if not can_be_walked(path):
        return _Context(name, None, rendered(path), repeats=True)
    return _Context(name, path, rendered(path), repeats=len(path) > 1 and several)


def _parts(context: _Context, wanted: Sequence[_Wanted]) -> Iterator[Part]:
    """Raises: Unsupported, Unprocessable (422)"""
    walks = [_walk(context, one) for one in wanted]
    told_apart = context.repeats and context.text.partition(".")[2] in items_of(context.type)
    walked = not context.repeats or (told_apart and all(walk is not None for walk in walks))
    for one, walk in zip(wanted, walks, strict=True):
        outside = one.text.startswith(RESOURCE)
        together = context.repeats and not outside
        if together and one.parameter.type == WITHOUT_ITEM:
            text = f"Texts are not told apart by the item of {context.text} in which they stand: leave this part out."
            raise Unprocessable(text, expression=f"{one.place}.expression", diagnostics=one.text[:500])
        part = Part(*_defined(one), one.text, walk or (), together=together)
        if walk is not None and (walked or outside):
            yield part
        elif together:
            checked(one.text, one.place)
            yield part._replace(steps=(), evaluated=one.text, context=context.text)
        else:
            yield part._replace(evaluated=_selected(context, one))


def _defined(one: _Wanted) -> tuple[str, str, str, tuple[str, ...]]:
    return one.parameter.type, one.parameter.code, one.parameter.url, one.parameter.targets


def _selected(context: _Context, one: _Wanted) -> str:
    """A part of the resource itself that cannot be walked. Raises: Unprocessable (422)"""
    start = context.type if one.text.startswith(RESOURCE) else context.text
    text = f"{start}.select({one.text.removeprefix(RESOURCE)})"
    checked(text, one.place)
    return text


def _walk(context: _Context, one: _Wanted) -> tuple[str, ...] | None:
    """A part as lists of steps, None when the walk over resources does not take them.

    Raises: Unsupported when they lead to nothing that the search type reads"""
    start = (Step("member", context.type),) if one.text.startswith(RESOURCE) else context.path
    if start is None:
        return None
    try:
        branches = relative(one.text.removeprefix(RESOURCE))
    except Unsupported:
        return None
    own = [chosen((*start, *branch)) for branch in branches]
    return read_by(own, context.type, one.parameter.type) if all(map(can_be_walked, own)) else None

"""What an expression of a SearchParameter reads, in the terms of this server.

Enters: FHIRPath, resource types and a search type. Leaves: for each type the paths that are read, lists of steps where
the walk over resources takes them, or the error that names the place and why.
Spec: http://hl7.org/fhir/R4/searchparameter-definitions.html#SearchParameter.expression
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from typing import NamedTuple

from ecluse.core.errors import Issue, Unprocessable
from ecluse.core.fhir.definitions.expressions import End, Path, Step, Unsupported, ends, parse, rendered
from ecluse.core.fhir.definitions.indexed import READS, absolute, normalised, targets_of
from ecluse.core.fhir.definitions.search_parameters import paths_of
from ecluse.core.fhir.definitions.structures import structures
from ecluse.core.fhir.fhirpath import asked, expression, syntax
from ecluse.core.fhir.fhirpath.failures import FhirPathError
from ecluse.core.fhir.fhirpath.syntax import Chain, Member, Tree
from ecluse.core.fhir.types import number_of

EVERY = frozenset({"Resource", "DomainResource"})
_INTO = frozenset({"member", "extension", "where", "has_extension"})
_TEXTS = frozenset({"string", "code", "uri", "url", "canonical", "id", "markdown", "oid", "uuid"})
_OUTSIDE = {
    "now": "its outcome changes with time, and index rows do not",
    "today": "its outcome changes with time, and index rows do not",
    "timeOfDay": "its outcome changes with time, and index rows do not",
    "memberOf": "value sets are not asked while resources are indexed",
    "subsumes": "code systems are not asked while resources are indexed",
    "subsumedBy": "code systems are not asked while resources are indexed",
    "conformsTo": "profiles are not asked while resources are indexed",
    "resolve": "other resources are not read while a resource is indexed; only `resolve() is Type` is served",
}
"""Functions whose outcome is not the resource's own, with the reason why they are refused."""


class Part(NamedTuple):
    """A part of a composite in one of its contexts. kind, code, url, targets: of the parameter that defines it; text:
    its expression as it was written; steps, evaluated: as in a Reading; together: whether it has to stand in one item
    with others; context: FHIRPath of the items that `evaluated` is asked of one by one, "" when that is the resource"""

    kind: str
    code: str
    url: str
    targets: tuple[str, ...]
    text: str
    steps: tuple[str, ...]
    evaluated: str = ""
    together: bool = False
    context: str = ""


class Reading(NamedTuple):
    """What is read in resources of one type. steps: paths that are lists of steps; evaluated: FHIRPath of any other
    kind, "" when there is none; targets: types that a reference may point to, empty for any; contexts: of a composite,
    which has nothing else, its parts in each"""

    steps: tuple[str, ...]
    evaluated: str
    targets: tuple[str, ...]
    contexts: tuple[tuple[Part, ...], ...] = ()


def readings(text: str, kind: str, types: Iterable[str], declared: Sequence[str], place: str) -> dict[str, Reading]:
    """What is read in each type. Raises: Unprocessable (422)"""
    try:
        branches = parse(text)
    except Unsupported:
        return evaluated(text, types, declared, place)
    found: dict[str, Reading] = {}
    issues: list[Issue] = []
    for name in types:
        own = [chosen(path) for path in map(rooted(name), branches) if path[0].name == name]
        if not all(map(can_be_walked, own)):
            return evaluated(text, types, declared, place)
        try:
            found[name] = Reading(
                read_by(own, name, kind), "", tuple(targets_of(own, declared)) if kind == "reference" else ()
            )
        except Unsupported as error:
            issues.append(Issue(f"{error}.", f"{place}.expression", text, "not-supported"))
    if issues:
        raise Unprocessable(issues=issues)
    return found


def chosen(path: Path) -> Path:
    """The path with the types of choices told as FHIRPath tells them: `valueDateTime`, which is how JSON names it, and
    how published parameters write it, is `value.ofType(dateTime)`."""
    found = path[:1]
    for step in path[1:]:
        elements = [element for end in _found(found) for element in structures().types.get(end.kind, ())]
        is_choice = step.op == "member" and all(element.name != step.name for element in elements)
        typed = (
            (Step("member", element.name), Step("type", kind))
            for element in elements
            if is_choice and len(element.types) > 1
            for kind in element.types
            if step.name == f"{element.name}{kind[0].upper()}{kind[1:]}"
        )
        found += next(typed, (step,))
    return found


def can_be_walked(path: Path) -> bool:
    """Whether the walk over resources takes each of these steps; what it does not, as indexes, is evaluated."""
    for at, step in enumerate(path[1:], 1):
        starts = {end.kind for end in _found(path[:at])}
        if step.op == "item" or (step.op in _INTO and not starts <= structures().types.keys()):
            return False
        if step.op == "where" and not all(_is_plain(start, step.name) for start in starts):
            return False
    return True


def _found(path: Path) -> list[End]:
    try:
        return ends(path)
    except Unsupported:
        return []


def _is_plain(start: str, name: str) -> bool:
    """Whether an element is a text under its own name."""
    found = [element for element in structures().types.get(start, ()) if element.name == name]
    return any(len(one.types) == 1 and one.types[0] in _TEXTS and not one.many for one in found)


def rooted(name: str) -> Callable[[Path], Path]:
    """From a branch to the same of this type: without a type, or with an abstract one, it is of every type."""

    def of_type(path: Path) -> Path:
        path = absolute(name)(path)
        return (Step("member", name), *path[1:]) if path[0].name in EVERY else path

    return of_type


def nothing(own: Sequence[Path], name: str, kind: str) -> str:
    if not own:
        return f"It reads nothing of {name}, which is one of its bases"
    found = sorted({end.kind for path in own for end in ends(path)})
    return f"It leads to {', '.join(found)} in {name}; {kind} parameters read {', '.join(sorted(READS[kind]))}"


def read_by(own: Sequence[Path], name: str, kind: str) -> tuple[str, ...]:
    """The paths as lists of steps. Raises: Unsupported when they lead to nothing that the search type reads"""
    read = tuple(rendered(path) for path in normalised(own, kind))
    if not read:
        raise Unsupported(nothing(own, name, kind))
    return read


def evaluated(text: str, types: Iterable[str], declared: Sequence[str], place: str) -> dict[str, Reading]:
    """An expression that is evaluated as a whole. Raises: Unprocessable (422)"""
    roots = {name for name in _roots(checked(text, place)) if name in number_of}
    if roots and (lacking := [name for name in types if name not in roots]):
        advice = f"It reads nothing of {', '.join(lacking[:10])}: take that out of base, or write what to read there."
        raise Unprocessable(advice, expression=f"{place}.expression", diagnostics=text[:500])
    return {name: Reading((), text, tuple(declared)) for name in types}


def checked(text: str, place: str) -> Tree:
    """The expression, when it can be evaluated on a resource alone. Raises: Unprocessable (422)"""
    try:
        tree = syntax.parse(text)
        expression.compile(text)
    except FhirPathError as error:
        told = [
            Issue(one.text, f"{place}.expression", one.diagnostics or text[:500], "invalid") for one in error.issues
        ]
        raise Unprocessable(issues=told) from error
    names = asked.functions(tree)
    if refused := [f"{name}() cannot be indexed: {_OUTSIDE[name]}." for name in sorted(names & _OUTSIDE.keys())]:
        raise Unprocessable(issues=[Issue(one, f"{place}.expression", text[:500], "not-supported") for one in refused])
    return tree


def _roots(tree: Tree) -> set[str]:
    """The names that stand where a resource type may."""
    if isinstance(tree, Member):
        return {tree.name}
    if isinstance(tree, Chain):
        return _roots(tree.left)
    return set().union(*(_roots(part) for part in asked.parts(tree)))


def known_paths(resource_type: str, kind: str) -> dict[str, int]:
    """The paths of R4's own parameters of this search type, by their text, with their numbers."""
    return {path.text: path.number for path in paths_of(resource_type) if path.kind == kind}

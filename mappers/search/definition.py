"""What a SearchParameter asks for, in the terms of this server.

Enters: the resource. Leaves: for each resource type the paths that are read, or the error that names every place of the
resource that cannot be served, and why. Nothing here knows which other parameters there are.
Spec: http://hl7.org/fhir/R4/searchparameter.html
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Iterator, Sequence
from typing import Any, NamedTuple

from ecluse.core.errors import Issue, Unprocessable
from ecluse.core.fhir.definitions.expressions import End, Path, Step, Unsupported, ends, parse, rendered
from ecluse.core.fhir.definitions.indexed import READS, absolute, normalised, targets_of
from ecluse.core.fhir.definitions.search_parameters import paths_of
from ecluse.core.fhir.definitions.structures import structures
from ecluse.core.fhir.fhirpath import asked, expression, syntax
from ecluse.core.fhir.fhirpath.failures import FhirPathError
from ecluse.core.fhir.fhirpath.syntax import Chain, Member, Tree
from ecluse.core.fhir.types import number_of
from mappers.search.walk import READERS
from mappers.search.words import TEXT_OF

UNIQUE = "urn:ecluse:StructureDefinition:unique"
"""The extension, a boolean, that says that no two resources of a type in a site may have the same value."""
EVERY = frozenset({"Resource", "DomainResource"})
NO_DOMAIN = frozenset({"Bundle", "Parameters", "Binary"})
"""Resource types that are no DomainResource."""
MADE = tuple(kind for kind in READERS if kind != "special")
"""The search types that a parameter may have."""
_CODE = re.compile(r"[A-Za-z][A-Za-z0-9_-]{0,63}")
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


class Reading(NamedTuple):
    """What is read in resources of one type. steps: paths that are lists of steps; evaluated: FHIRPath of any other
    kind, "" when there is none; targets: types that a reference may point to, empty for any"""

    steps: tuple[str, ...]
    evaluated: str
    targets: tuple[str, ...]


class Definition(NamedTuple):
    """A SearchParameter that can be served. readings: by resource type"""

    code: str
    kind: str
    url: str
    unique: bool
    readings: dict[str, Reading]


def definition(resource: dict[str, Any], place: str = "SearchParameter") -> Definition:
    """What the resource asks for.

    Raises: Unprocessable (422) with every place that cannot be served
    """
    if resource["code"] in TEXT_OF:
        return _of_words(resource, place)
    issues = list(_issues(resource, place))
    types = tuple(_types(resource, place, issues))
    if issues:
        raise Unprocessable(issues=issues)
    kind, declared = resource["type"], tuple(resource.get("target", ()))
    readings = _readings(resource["expression"], kind, types, declared, place)
    return Definition(resource["code"], kind, resource.get("url", ""), _is_unique(resource), readings)


def _of_words(resource: dict[str, Any], place: str) -> Definition:
    """`_text` or `_content`, as R4 defines them: without expression. Raises: Unprocessable (422)"""
    code, kind, issues = resource["code"], resource["type"], list[Issue]()
    if kind not in ("string", "special"):
        issues.append(Issue(f"{code} is of the type string.", f"{place}.type", kind, "value"))
    if "expression" in resource:
        text = f"Leave the expression out: {code} has none."
        issues.append(Issue(text, f"{place}.expression", resource["expression"], "value"))
    types = [name for name in _types(resource, place, issues) if code != "_text" or name not in NO_DOMAIN]
    if not types and not issues:
        issues.append(Issue("These types have no narrative.", f"{place}.base", ", ".join(resource["base"]), "value"))
    if issues:
        raise Unprocessable(issues=issues)
    reading = Reading((), TEXT_OF[code], ())
    return Definition(code, "string", resource.get("url", ""), False, dict.fromkeys(types, reading))


def _issues(resource: dict[str, Any], place: str) -> Iterator[Issue]:
    """What is wrong beside base and expression."""
    kind, code = resource["type"], resource["code"]
    if not _CODE.fullmatch(code):
        text = "A code has up to 64 letters, digits, - and _, a letter first; those with _ in front are FHIR's."
        yield Issue(text, f"{place}.code", code, "value")
    if kind not in MADE:
        text = f"{kind} parameters cannot be made at run time here; write one of {', '.join(MADE)}."
        yield Issue(text, f"{place}.type", kind, "not-supported")
    if kind != "token" and _is_unique(resource):
        text = "Only token parameters can be unique: make it one, or leave the extension out."
        yield Issue(text, f"{place}.extension", UNIQUE, "value")
    if "expression" not in resource:
        yield Issue("Write the FHIRPath of what is to be indexed.", f"{place}.expression", "", "required")
    for at, name in enumerate(resource.get("target", ())):
        if name not in number_of:
            yield Issue("R4 has no such resource type.", f"{place}.target[{at}]", name, "code-invalid")


def _is_unique(resource: dict[str, Any]) -> bool:
    found = [one for one in resource.get("extension", ()) if one.get("url") == UNIQUE]
    return any(one.get("valueBoolean") is True for one in found)


def _types(resource: dict[str, Any], place: str, issues: list[Issue]) -> Iterator[str]:
    """The types of all bases, each once."""
    found: dict[str, None] = {}
    for at, base in enumerate(resource["base"]):
        if base in EVERY:
            found.update(dict.fromkeys(name for name in number_of if base == "Resource" or name not in NO_DOMAIN))
        elif base in number_of:
            found[base] = None
        else:
            issues.append(Issue("R4 has no such resource type.", f"{place}.base[{at}]", base, "code-invalid"))
    yield from found


def _readings(text: str, kind: str, types: Iterable[str], declared: Sequence[str], place: str) -> dict[str, Reading]:
    """What is read in each type. Raises: Unprocessable (422)"""
    try:
        branches = parse(text)
    except Unsupported:
        return _evaluated(text, types, declared, place)
    readings: dict[str, Reading] = {}
    issues: list[Issue] = []
    for name in types:
        own = [_chosen(path) for path in map(_rooted(name), branches) if path[0].name == name]
        if not all(map(_can_be_walked, own)):
            return _evaluated(text, types, declared, place)
        try:
            read = tuple(rendered(path) for path in normalised(own, kind))
            if not read:
                raise Unsupported(_nothing(own, name, kind))
            readings[name] = Reading(read, "", tuple(targets_of(own, declared)) if kind == "reference" else ())
        except Unsupported as error:
            issues.append(Issue(f"{error}.", f"{place}.expression", text, "not-supported"))
    if issues:
        raise Unprocessable(issues=issues)
    return readings


def _chosen(path: Path) -> Path:
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


def _can_be_walked(path: Path) -> bool:
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


def _rooted(name: str) -> Callable[[Path], Path]:
    """From a branch to the same of this type: without a type, or with an abstract one, it is of every type."""

    def rooted(path: Path) -> Path:
        path = absolute(name)(path)
        return (Step("member", name), *path[1:]) if path[0].name in EVERY else path

    return rooted


def _nothing(own: Sequence[Path], name: str, kind: str) -> str:
    if not own:
        return f"It reads nothing of {name}, which is one of its bases"
    found = sorted({end.kind for path in own for end in ends(path)})
    return f"It leads to {', '.join(found)} in {name}; {kind} parameters read {', '.join(sorted(READS[kind]))}"


def _evaluated(text: str, types: Iterable[str], declared: Sequence[str], place: str) -> dict[str, Reading]:
    """An expression that is evaluated as a whole. Raises: Unprocessable (422)"""
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
    roots = {name for name in _roots(tree) if name in number_of}
    if roots and (lacking := [name for name in types if name not in roots]):
        advice = f"It reads nothing of {', '.join(lacking[:10])}: take that out of base, or write what to read there."
        raise Unprocessable(advice, expression=f"{place}.expression", diagnostics=text[:500])
    return {name: Reading((), text, tuple(declared)) for name in types}


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

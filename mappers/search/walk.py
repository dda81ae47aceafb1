"""The walk over a resource that takes all its index rows at once.

Enters: the paths of a resource type. Leaves: one function over the decoded resource. The paths are merged into a tree
of closures, so that each member of the resource is looked at once, whatever the number of paths through it.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from typing import Any

from ecluse.core.fhir.definitions.expressions import Path, Step, is_a, parse
from ecluse.core.fhir.definitions.search_parameters import IndexedPath
from ecluse.core.fhir.definitions.structures import members
from mappers.search import date, number, position, quantity, reference, string, token, uri
from mappers.search.composite import items_of
from mappers.search.rows import MOST_ITEMS, WITH_ITEM, IndexRows, Reader, Visit

READERS: dict[str, dict[str, Reader]] = {
    "token": token.READERS,
    "reference": reference.READERS,
    "string": string.READERS,
    "date": date.READERS,
    "uri": uri.READERS,
    "number": number.READERS,
    "quantity": quantity.READERS,
    "special": position.READERS,
}
"""For each search type that is indexed, the reader of each data type."""

Branch = tuple[Path, IndexedPath]
"""What is left of a path at some point of the tree."""


def compiled(resource_type: str, paths: Iterable[IndexedPath]) -> Visit:
    """The function that adds the rows of all these paths, for resources of this type."""
    branches = [(parse(path.text)[0][1:], path) for path in paths if path.kind in READERS]
    return _node(resource_type, branches, items_of(resource_type))


def _node(type_name: str, branches: Sequence[Branch], items: frozenset[str] = frozenset()) -> Visit:
    """A visit of an object: each of its members that a branch goes through. items: elements whose items are numbered"""
    by_name: dict[str, list[Branch]] = {}
    for branch in map(_without_extension, branches):
        by_name.setdefault(branch[0][0].name, []).append(branch)
    handlers: dict[str, Visit] = {}
    truths: list[Visit] = []
    for name, (element, kind) in members(type_name).items():
        visits = _values(kind, by_name.get(element.name, ()))
        if visits:
            one = _one(visits)
            handlers[name] = (_numbered if name in items else _repeated)(one) if element.many else one
    for name, own in by_name.items():
        truths += [_truth(type_name, name, path) for steps, path in own if steps[1:2] and steps[1].op == "true"]
    return _one([_members(handlers), *truths])


def _without_extension(branch: Branch) -> Branch:
    """`extension(url)` is the member `extension` under a condition."""
    steps, path = branch
    if steps[0].op != "extension":
        return branch
    return (Step("member", "extension"), Step("where", "url", steps[0].name), *steps[1:]), path


def _values(kind: str, branches: Iterable[Branch]) -> list[Visit]:
    """Visits of one value of a member whose data type is known."""
    visits: list[Visit] = []
    inner: list[Branch] = []
    conditions: dict[Step, list[Branch]] = {}
    for steps, path in branches:
        if steps[1:] and steps[1].op == "type":
            steps = steps[1:] if is_a(kind, steps[1].name) else ()
        if len(steps) == 1 and kind in READERS[path.kind]:
            visits.append(READERS[path.kind][kind](path.number))
        elif len(steps) > 1 and steps[1].op in ("where", "has_extension"):
            conditions.setdefault(steps[1], []).append((steps[1:], path))
        elif len(steps) > 1 and steps[1].op in ("member", "extension"):
            inner.append((steps[1:], path))
    if inner:
        visits.append(_node(kind, inner))
    for condition, own in conditions.items():
        if guarded := _values(kind, own):
            visits.append(_guarded(_holds(condition), _one(guarded)))
    return visits


def _one(visits: Sequence[Visit]) -> Visit:
    if len(visits) == 1:
        return visits[0]
    several = tuple(visits)

    def visit(value: Any, rows: IndexRows) -> None:
        for each in several:
            each(value, rows)

    return visit


def _repeated(one: Visit) -> Visit:
    def visit(values: list[Any], rows: IndexRows) -> None:
        for value in values:
            if value is not None:
                one(value, rows)

    return visit


def _numbered(one: Visit) -> Visit:
    """Visits of items, whose rows say which item they are from, so that a composite can tell what stands together;
    the marks of identifiers stay, which no composite reads."""

    def visit(values: list[Any], rows: IndexRows) -> None:
        for place, value in enumerate(values, 1):
            before = lengths(rows)
            one(value, rows)
            number_rows(rows, before, place)

    return visit


def lengths(rows: IndexRows) -> list[int]:
    """How many rows there are of each kind."""
    return [len(kind) for kind in rows]


def number_rows(rows: IndexRows, before: Sequence[int], place: int) -> None:
    """Says of which item the latest rows are. before: how many there were of each kind; place: of the item, from 1"""
    for kind in WITH_ITEM:
        own: list[Any] = rows[kind]
        first = before[kind]
        own[first:] = [(row[0], row[1] or min(place, MOST_ITEMS), *row[2:]) for row in own[first:]]


def _members(handlers: dict[str, Visit]) -> Visit:
    if len(handlers) == 1:
        ((name, handler),) = handlers.items()

        def visit_one(value: dict[str, Any], rows: IndexRows) -> None:
            member = value.get(name)
            if member is not None:
                handler(member, rows)

        return visit_one
    find = handlers.get

    def visit(value: dict[str, Any], rows: IndexRows) -> None:
        for name, member in value.items():
            handler = find(name)
            if handler is not None:
                handler(member, rows)

    return visit


def _guarded(holds: Callable[[dict[str, Any]], bool], inner: Visit) -> Visit:
    def visit(value: dict[str, Any], rows: IndexRows) -> None:
        if holds(value):
            inner(value, rows)

    return visit


def _holds(condition: Step) -> Callable[[dict[str, Any]], bool]:
    if condition.op == "where":
        return lambda value: value.get(condition.name) == condition.value
    return lambda value: any(extension.get("url") == condition.name for extension in value.get("extension", ()))


def _truth(type_name: str, name: str, path: IndexedPath) -> Visit:
    """Whether an element is there and is not false, which every resource answers."""
    names = [member for member, (element, _) in members(type_name).items() if element.name == name]
    row = token.READERS["boolean"](path.number)

    def visit(value: dict[str, Any], rows: IndexRows) -> None:
        row(any(value.get(member, False) is not False for member in names), rows)

    return visit

"""Index rows of paths that were made at run time.

Enters: the paths of a resource type. Leaves: one function over the decoded resource. What is a list of steps is walked
as R4's own paths are; any other FHIRPath is evaluated, and the readers take its outcome by data type. Words have a walk
of their own.
Spec: http://hl7.org/fhir/R4/searchparameter-definitions.html#SearchParameter.expression
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from decimal import Decimal
from typing import Any

from ecluse.core.fhir.definitions.search_parameters import IndexedPath
from ecluse.core.fhir.fhirpath import expression, temporal
from ecluse.core.fhir.fhirpath.failures import FhirPathError
from ecluse.core.fhir.fhirpath.nodes import Item, Node, collect, members
from ecluse.core.fhir.fhirpath.temporal import Temporal
from mappers.search import words
from mappers.search.rows import IndexRows, Visit
from mappers.search.walk import READERS, compiled, lengths, number_rows

_CALCULATED: dict[type, tuple[str, ...]] = {
    bool: ("boolean",),
    str: ("string", "uri"),
    int: ("integer", "decimal"),
    Decimal: ("decimal",),
}
"""The data types as which a calculated value may be read."""


def visit_of(resource_type: str, paths: Iterable[IndexedPath], *, strict: bool = False) -> Visit:
    """The function that adds the rows of all these paths, for resources of this type.

    strict: raises FhirPathError when a path cannot be evaluated on a resource; else such a resource has no row for it
    """
    listed = tuple(paths)
    walked = compiled(resource_type, [path for path in listed if not path.evaluated])
    evaluated = [
        words.visit_of(path.text, path.number, resource_type)
        if path.text in words.TEXT_OF.values()
        else _evaluated(path, strict=strict)
        for path in listed
        if path.evaluated
    ]

    def visit(resource: dict[str, Any], rows: IndexRows) -> None:
        walked(resource, rows)
        for each in evaluated:
            each(resource, rows)

    return visit


def _evaluated(path: IndexedPath, *, strict: bool) -> Visit:
    select = expression.compile(path.text)
    readers = {kind: reader(path.number) for kind, reader in READERS[path.kind].items()}
    items = expression.compile(path.context) if path.context else None

    def visit(resource: dict[str, Any], rows: IndexRows) -> None:
        try:
            found = [(0, select(resource))] if items is None else [*_of_items(items(resource), select)]
        except FhirPathError:
            if strict:
                raise
            return
        for place, own in found:
            before = lengths(rows)
            for item in own:
                _read(item, readers, rows)
            if place:
                number_rows(rows, before, place)

    return visit


def _of_items(items: Iterable[Item], select: expression.Expression) -> Iterator[tuple[int, list[Item]]]:
    """What is found in each item of a context, with its place."""
    return ((place, select(item)) for place, item in enumerate(items, 1))


def _read(item: Item, readers: dict[str, Visit], rows: IndexRows) -> None:
    """Adds the rows of one item; a data type that the search type does not read has none."""
    kinds: tuple[str, ...]
    if type(item) is Temporal:
        kinds, value = ("dateTime",) if item.kind != "Time" else (), temporal.text(item)
    elif type(item) is not Node:
        kinds, value = _CALCULATED.get(type(item), ()), item
    elif item.type == "Extension":
        inner: list[Item] = []
        collect(item, members("Extension")["value"], inner)
        for one in inner:
            _read(one, readers, rows)
        return
    else:
        kinds, value = (item.type,), item.value
    reader = next((readers[kind] for kind in kinds if kind in readers), None)
    if reader is not None and value is not None:
        reader(value, rows)

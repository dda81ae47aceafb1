"""The search parameters of R4, the paths they read and the compartments, as Python values.

Enters: search_parameters.json, read once at first use. Leaves: parameters by resource type and code, paths by number.
Spec: http://hl7.org/fhir/R4/searchparameter-registry.html
"""

from __future__ import annotations

from functools import cache
from importlib.resources import files
from typing import Any

import msgspec

from ecluse.core.fhir.types import number_of

CANONICAL = "http://hl7.org/fhir/SearchParameter/"


class Parameter(msgspec.Struct, frozen=True):
    """One search parameter of one resource type. paths: numbers of what it reads; targets: types it may point to, empty
    when any; components: canonical address and expression of each part of a composite."""

    code: str
    type: str
    url: str
    expression: str = ""
    paths: tuple[int, ...] = ()
    targets: tuple[str, ...] = ()
    components: tuple[tuple[str, str], ...] = ()


class IndexedPath(msgspec.Struct, frozen=True):
    """What rows are taken from. number: its key in the database; kind: the search type; systems: of plain codes that it
    ends in; evaluated: the resource type for which the text is evaluated as FHIRPath, of a path made at run time; empty
    when it is a list of steps; context: FHIRPath of the items on each of which it is evaluated, of a part of a
    composite; empty when that is the resource."""

    number: int
    kind: str
    text: str
    systems: tuple[str, ...] = ()
    evaluated: str = ""
    context: str = ""

    @property
    def resource_type(self) -> str:
        """The type that the path starts from."""
        return self.evaluated or self.text.partition(".")[0]


class _Row(msgspec.Struct):
    """A parameter as the file holds it."""

    type: str
    url: str
    expression: str = ""
    paths: tuple[int, ...] = ()
    targets: tuple[str, ...] = ()
    components: tuple[tuple[str, str], ...] = ()


class _File(msgspec.Struct):
    paths: list[tuple[int, str, str] | Any]
    parameters: dict[str, dict[str, _Row]]
    compartments: dict[str, dict[str, tuple[str, ...]]]


@cache
def _file() -> _File:
    return msgspec.json.decode((files(__package__) / "search_parameters.json").read_bytes(), type=_File)


@cache
def paths() -> dict[int, IndexedPath]:
    """Every path, by number."""
    rows = ((number, kind, text, tuple(*rest)) for number, kind, text, *rest in _file().paths)
    return {row[0]: IndexedPath(*row) for row in rows}


@cache
def paths_of(resource_type: str) -> tuple[IndexedPath, ...]:
    """The paths of a type, by number."""
    return _by_type().get(resource_type, ())


@cache
def _by_type() -> dict[str, tuple[IndexedPath, ...]]:
    found: dict[str, list[IndexedPath]] = {}
    for path in paths().values():
        found.setdefault(path.resource_type, []).append(path)
    return {name: tuple(sorted(own, key=lambda path: path.number)) for name, own in found.items()}


@cache
def parameters(resource_type: str) -> dict[str, Parameter]:
    """The parameters of a type, by code, in the order of the codes.

    Raises: KeyError when R4 has no such type"""
    if resource_type not in number_of:
        raise KeyError(resource_type)
    numbers = {(path.kind, path.text): path.number for path in paths_of(resource_type)}
    found = {code: _general(resource_type, code, row, numbers) for code, row in _file().parameters["Resource"].items()}
    for code, row in _file().parameters[resource_type].items():
        found[code] = Parameter(
            code, row.type, CANONICAL + row.url, row.expression, row.paths, row.targets, row.components
        )
    return dict(sorted(found.items()))


def _general(resource_type: str, code: str, row: _Row, numbers: dict[tuple[str, str], int]) -> Parameter:
    """A parameter of every type, as the given type has it."""
    expression = row.expression.replace("Resource", resource_type, 1)
    number = numbers.get((row.type, expression))
    return Parameter(code, row.type, CANONICAL + row.url, expression, (number,) if number else ())


@cache
def compartment(name: str) -> dict[str, tuple[str, ...]]:
    """Resource type → codes of the parameters that put a resource into this compartment. name: "Patient", "Encounter" …

    Spec: http://hl7.org/fhir/R4/compartmentdefinition.html"""
    return _file().compartments[name]

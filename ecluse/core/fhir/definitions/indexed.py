"""From the expression of a search parameter to what is indexed for it.

Enters: the paths of an expression and a search type. Leaves: the element paths whose values become rows, the types that
a reference may point to, and what a path can end in. The build script and parameters made at run time share it.
Spec: http://hl7.org/fhir/R4/search.html#table
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from functools import cache

from ecluse.core.fhir.definitions.expressions import End, Path, Step, ends, parse
from ecluse.core.fhir.definitions.search_parameters import IndexedPath
from ecluse.core.fhir.types import number_of

FIRST_AT_RUN_TIME, LAST_AT_RUN_TIME = 20_000, 32_767
"""The numbers of paths that belong to parameters made at run time."""

READS: dict[str, frozenset[str]] = {
    "token": frozenset("Coding CodeableConcept Identifier ContactPoint code boolean string id uri".split()),
    "reference": frozenset("Reference canonical uri".split()),
    "string": frozenset("string markdown HumanName Address".split()),
    "date": frozenset("date dateTime instant Period Timing".split()),
    "uri": frozenset("uri url canonical oid uuid".split()),
    "number": frozenset("integer positiveInt unsignedInt decimal Range".split()),
    "quantity": frozenset("Quantity Age Duration Count Distance Money Range SampledData".split()),
    "special": frozenset({"Location.position"}),
}
"""The data types that each search type reads. Spec: http://hl7.org/fhir/R4/search.html#table"""


def absolute(resource_type: str) -> Callable[[Path], Path]:
    """InsurancePlan's `name | alias` leaves the type out."""
    return lambda path: path if path[0].name[0].isupper() else (Step("member", resource_type), *path)


def normalised(branches: Iterable[Path], kind: str) -> list[Path]:
    """The paths that a parameter of this search type indexes: without targets, with the value of an extension, without
    data types that say nothing more than the search type does. A path that holds nothing this search type reads is left
    out."""
    paths = [tuple(step for step in path if step.op != "target") for path in branches]
    paths = [(*path, Step("member", "value")) if ends(path)[0].kind == "Extension" else path for path in paths]
    untyped = dict.fromkeys(_untyped(path, paths, kind) for path in paths)
    return [path for path in untyped if READS[kind] & {end.kind for end in ends(path)}]


def _untyped(path: Path, paths: Iterable[Path], kind: str) -> Path:
    if path[-1].op != "type":
        return path
    readable = {end.kind for end in ends(path[:-1])} & READS[kind]
    asked = {other[-1].name for other in paths if other[:-1] == path[:-1]}
    return path[:-1] if readable <= asked else path


def targets_of(branches: Iterable[Path], declared: Iterable[str]) -> list[str]:
    """Types that the parameter may point to, empty when any."""
    found: set[str] = set()
    for path in branches:
        narrowed = {step.name for step in path if step.op == "target"}
        for end in ends(path):
            allowed = set(end.targets) - {"Resource"} or set(declared) or set(number_of)
            found |= allowed & narrowed or narrowed if narrowed else allowed & set(declared) or allowed
    return [] if found >= set(number_of) - {"Parameters"} else sorted(found)


@cache
def ends_of(path: IndexedPath) -> tuple[End, ...]:
    """What a path can end in; of one that is evaluated all that its search type reads."""
    if path.evaluated:
        return tuple(End(kind, (), True) for kind in sorted(READS[path.kind]))
    return tuple(ends(parse(path.text)[0]))

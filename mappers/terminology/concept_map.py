"""A ConceptMap as a table of correspondences, read forwards and backwards.

Enters: a ConceptMap in memory. Leaves: the correspondences of a code.
Spec: http://hl7.org/fhir/R4/conceptmap.html, http://hl7.org/fhir/R4/conceptmap-operation-translate.html
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import NamedTuple

from ecluse.core.fhir.code_systems import canonical
from mappers.terminology.concept import Json

NO_MATCH = frozenset({"unmatched", "disjoint"})
REVERSED = {"wider": "narrower", "narrower": "wider", "subsumes": "specializes", "specializes": "subsumes"}
"""What an equivalence is, seen from the other side. http://hl7.org/fhir/R4/valueset-concept-map-equivalence.html"""

Dependencies = Mapping[str, tuple[tuple[str, str], ...]]
"""Element → the (system, code) that it has; the system is "" when it is not known."""


class Target(NamedTuple):
    """One correspondence. products: as FHIR writes them, in the Parameters of the answer"""

    equivalence: str
    system: str
    code: str
    display: str = ""
    version: str = ""
    products: Sequence[Json] = ()
    comment: str = ""


class Table(NamedTuple):
    """The groups of a map, by the code that is asked for."""

    forwards: Mapping[tuple[str, str], Sequence[tuple[Json, Json, Json]]]
    backwards: Mapping[tuple[str, str], Sequence[tuple[Json, Json, Json]]]
    groups: Sequence[Json]


def table(resource: Json) -> Table:
    """The map, by code in both directions; each row is (group, element, target)."""
    forwards: dict[tuple[str, str], list[tuple[Json, Json, Json]]] = {}
    backwards: dict[tuple[str, str], list[tuple[Json, Json, Json]]] = {}
    groups = resource.get("group", ())
    for group in groups:
        source, target_system = canonical(group.get("source", "")), canonical(group.get("target", ""))
        for element in group.get("element", ()):
            for target in element.get("target", ()):
                row = group, element, target
                forwards.setdefault((source, element.get("code", "")), []).append(row)
                backwards.setdefault((target_system, target.get("code", "")), []).append(row)
    return Table(forwards, backwards, groups)


def translated(found: Table, system: str, code: str, dependencies: Dependencies) -> Iterator[Target]:
    """The correspondences of a code, those of `unmapped` when the map has none."""
    rows = found.forwards.get((canonical(system), code), ())
    for group, _, target in rows:
        if _holds(target, dependencies):
            yield _target(group, target)
    if not rows:
        for group in found.groups:
            if canonical(group.get("source", "")) == canonical(system) and "unmapped" in group:
                yield from _unmapped(group, code)


def translated_back(found: Table, system: str, code: str) -> Iterator[Target]:
    """The codes that the map translates to this one."""
    for group, element, target in found.backwards.get((canonical(system), code), ()):
        equivalence: str = target.get("equivalence", "")
        yield Target(
            REVERSED.get(equivalence, equivalence),
            group.get("source", ""),
            element.get("code", ""),
            element.get("display", ""),
            group.get("sourceVersion", ""),
            comment=target.get("comment", ""),
        )


def other_map(found: Table, system: str) -> str:
    """The address of the map that is to be used for codes that this one does not have."""
    for group in found.groups:
        if canonical(group.get("source", "")) == canonical(system):
            unmapped = group.get("unmapped", {})
            if unmapped.get("mode") == "other-map":
                return str(unmapped.get("url", ""))
    return ""


def _holds(target: Json, dependencies: Dependencies) -> bool:
    """Whether every dependency of a correspondence is given, with the value that it names."""
    for one in target.get("dependsOn", ()):
        wanted = one.get("system", ""), one.get("value", "")
        given = dependencies.get(one.get("property", ""), ())
        if not any(code == wanted[1] and wanted[0] in ("", system) for system, code in given):
            return False
    return True


def _target(group: Json, target: Json) -> Target:
    return Target(
        target.get("equivalence", ""),
        group.get("target", "") if target.get("code") else "",
        target.get("code", ""),
        target.get("display", ""),
        group.get("targetVersion", ""),
        tuple(_product(one) for one in target.get("product", ())),
        target.get("comment", ""),
    )


def _product(one: Json) -> Json:
    coding = {
        name: one[key] for name, key in (("system", "system"), ("code", "value"), ("display", "display")) if key in one
    }
    element = {"name": "element", "valueUri": one.get("property", "")}
    return {"name": "product", "part": [element, {"name": "concept", "valueCoding": coding}]}


def _unmapped(group: Json, code: str) -> Iterator[Target]:
    unmapped = group["unmapped"]
    match unmapped.get("mode"):
        case "provided":
            yield Target("equal", group.get("target", ""), code)
        case "fixed":
            yield Target("inexact", group.get("target", ""), unmapped.get("code", ""), unmapped.get("display", ""))

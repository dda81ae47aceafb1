"""A CodeSystem resource as concepts.

Enters: a CodeSystem in memory. Leaves: its header and its concepts, the ones above before the ones below.
Spec: http://hl7.org/fhir/R4/codesystem.html#hierarchy, http://hl7.org/fhir/R4/codesystem-concept-properties.html
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, NamedTuple

from mappers.terminology.concept import Concept, Json, Source

PROPERTIES = "http://hl7.org/fhir/concept-properties#"
NOT_ACTIVE = frozenset({"retired", "deprecated", "inactive"})
VALUES = ("valueCode", "valueString", "valueInteger", "valueBoolean", "valueDecimal", "valueDateTime")
NOT_KEPT = ("concept", "text", "contained")


class _Meaning(NamedTuple):
    """Which codes the properties have that say more than their value."""

    parent: frozenset[str]
    child: frozenset[str]
    inactive: frozenset[str]
    abstract: frozenset[str]
    status: frozenset[str]


def source(resource: Json) -> Source:
    """The code system that the resource defines."""
    header = {name: value for name, value in resource.items() if name not in NOT_KEPT}
    meaning = _meaning(resource)
    return Source(header, lambda: _walk(resource.get("concept", ()), (), meaning))


def value_of(item: Json) -> Any:
    """The value of a property, whatever its type; a Coding by its code."""
    if "valueCoding" in item:
        return item["valueCoding"].get("code")
    return next((item[name] for name in VALUES if name in item), None)


def _meaning(resource: Json) -> _Meaning:
    by_uri: dict[str, set[str]] = {}
    for declared in resource.get("property", ()):
        name = declared.get("uri", "").removeprefix(PROPERTIES)
        by_uri.setdefault(name, set()).add(declared.get("code", ""))

    def named(uri: str, *codes: str) -> frozenset[str]:
        return frozenset({*codes, *by_uri.get(uri, ())})

    return _Meaning(
        parent=named("parent", "parent", "subsumedBy"),
        child=named("child", "child"),
        inactive=named("inactive", "inactive"),
        abstract=named("notSelectable", "notSelectable", "abstract"),
        status=named("status", "status"),
    )


def _walk(concepts: Any, parents: tuple[str, ...], meaning: _Meaning) -> Iterator[Concept]:
    stack: list[tuple[Iterator[Json], tuple[str, ...]]] = [(iter(concepts), parents)]
    while stack:
        own, above = stack[-1]
        item = next(own, None)
        if item is None:
            stack.pop()
            continue
        if item.get("code"):
            yield _concept(item, above, meaning)
        stack.append((iter(item.get("concept") or ()), (item["code"],) if item.get("code") else above))


def _concept(item: Json, above: tuple[str, ...], meaning: _Meaning) -> Concept:
    properties = item.get("property") or ()
    told: list[tuple[str, Any]] = [(one.get("code", ""), value_of(one)) for one in properties]
    return Concept(
        item["code"],
        item.get("display") or "",
        item.get("definition") or "",
        (*above, *(str(value) for code, value in told if code in meaning.parent)),
        tuple(str(value) for code, value in told if code in meaning.child),
        any(
            value is True if code in meaning.inactive else value in NOT_ACTIVE
            for code, value in told
            if code in meaning.inactive or code in meaning.status
        ),
        any(code in meaning.abstract and value is True for code, value in told),
        item.get("designation") or (),
        properties,
    )

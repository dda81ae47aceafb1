"""The definitions that profiles are checked with, by canonical.

Enters: an index of what is installed, and of it the StructureDefinitions, ValueSets, CodeSystems and Questionnaires
that were asked for. Leaves: each by its canonical. Most servers use a few of thousands, so a library is filled as it is
asked: `NotLoaded` names what is missing, the caller fetches it and begins again.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from typing import Any, NamedTuple

from ecluse.core.fhir.definitions.structures import structures

BASE = "http://hl7.org/fhir/StructureDefinition/"
ABSTRACT = frozenset({"Resource", "DomainResource", "Element", "BackboneElement", "Extension"})


class Entry(NamedTuple):
    """An installed definition. key: where it is stored; type: that a StructureDefinition describes, else "" """

    key: int
    type: str = ""


class NotLoaded(Exception):
    """Installed definitions that were not fetched yet."""

    def __init__(self, keys: Iterable[int]) -> None:
        self.keys = frozenset(keys)
        super().__init__(", ".join(map(str, sorted(self.keys))))


class Library:
    """What is installed, and what of it is loaded. index: by url, and by url|version"""

    def __init__(self, index: Mapping[str, Entry], loaded: Mapping[int, dict[str, Any]] | None = None) -> None:
        self._index = index
        self._loaded = dict(loaded or {})

    def add(self, loaded: Mapping[int, dict[str, Any]]) -> None:
        """Takes definitions in."""
        self._loaded |= loaded

    def entry(self, canonical: str) -> Entry | None:
        """The place of a canonical; of a version that is not installed, that of the version that is."""
        return self._index.get(canonical) or self._index.get(canonical.partition("|")[0])

    def settled(self, canonical: str) -> str:
        """The canonical under which a definition is known: without a version that is not installed."""
        return canonical if canonical in self._index else canonical.partition("|")[0]

    def type_of(self, canonical: str) -> str:
        """The type that a profile is for, "" when nobody knows the profile."""
        if is_base_type(canonical):
            return canonical.partition("|")[0].removeprefix(BASE)
        entry = self.entry(canonical)
        return entry.type if entry else str(BUILT_IN.get(canonical.partition("|")[0], {}).get("type", ""))

    def get(self, canonical: str) -> dict[str, Any] | None:
        """The definition of a canonical, None when it is not installed.

        Raises: NotLoaded when it was not fetched yet
        """
        entry = self.entry(canonical)
        if entry is None:
            return BUILT_IN.get(canonical.partition("|")[0])
        if entry.key not in self._loaded:
            raise NotLoaded([entry.key])
        return self._loaded[entry.key]

    def wanted(self, definitions: Iterable[dict[str, Any]]) -> set[int]:
        """The keys of what these definitions mention and what was not fetched yet."""
        return self.lacking({canonical for definition in definitions for canonical in mentioned(definition)})

    def lacking(self, canonicals: Iterable[str]) -> set[int]:
        """The keys of those of these canonicals that are installed and were not fetched yet."""
        entries = (self.entry(canonical) for canonical in canonicals if canonical and not is_base_type(canonical))
        return {entry.key for entry in entries if entry is not None and entry.key not in self._loaded}


def is_base_type(canonical: str) -> bool:
    """Whether a canonical names a type of R4 itself."""
    name = canonical.partition("|")[0].removeprefix(BASE)
    return canonical.startswith(BASE) and (
        name in ABSTRACT or name in structures().types or name in structures().primitives
    )


def mentioned(definition: dict[str, Any]) -> Iterator[str]:
    """The canonicals that the checks of a definition will ask for."""
    if definition.get("resourceType") == "StructureDefinition":
        snapshot = definition.get("snapshot", {}).get("element")
        if not snapshot:
            yield definition.get("baseDefinition", "")
        for element in snapshot or definition.get("differential", {}).get("element", ()):
            yield from _mentioned_by(element)
    yield from value_sets_asked(definition.get("item", ()) if definition.get("resourceType") == "Questionnaire" else ())
    for side in ("include", "exclude"):
        for include in definition.get("compose", {}).get(side, ()):
            yield from include.get("valueSet", ())
            yield "" if include.get("concept") else include.get("system", "")


def value_sets_asked(items: Any) -> Iterator[str]:
    """The value sets that the items of a Questionnaire take their answers from."""
    for item in items:
        yield item.get("answerValueSet", "")
        yield from value_sets_asked(item.get("item", ()))


def _mentioned_by(element: dict[str, Any]) -> Iterator[str]:
    for kind in element.get("type", ()):
        yield from kind.get("profile", ())
    binding = element.get("binding", {})
    if binding.get("strength") in ("required", "extensible"):
        yield binding.get("valueSet", "")


BUILT_IN: dict[str, dict[str, Any]] = {
    BASE + name: {
        "resourceType": "StructureDefinition",
        "url": BASE + name,
        "type": "Quantity",
        "baseDefinition": BASE + "Quantity",
        "differential": {"element": [{"path": "Quantity"}, *elements]},
    }
    for name, elements in (("SimpleQuantity", [{"path": "Quantity.comparator", "max": "0"}]), ("MoneyQuantity", []))
}
"""Profiles of R4's data types that the base definitions use themselves.

Spec: http://hl7.org/fhir/R4/datatypes.html#SimpleQuantity"""

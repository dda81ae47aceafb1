"""One check of one resource: what it knows of its surroundings, and what it found.

Enters: the resource, and the bundle that it stands in. Leaves: issues, all of them, each once.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from typing import Any, NamedTuple

from ecluse.core.errors import Issue
from ecluse.core.fhir.definitions.structures import structures
from ecluse.core.fhir.validation.profiles.value_sets import Answers, Coded, Members

_LITERAL = re.compile(
    r"(?:^|/)([A-Z][A-Za-z]+)/[A-Za-z0-9.-]{1,64}(?:/_history/[A-Za-z0-9.-]{1,64})?$|^([A-Z][A-Za-z]+)\?"
)


class Item(NamedTuple):
    """One value of an element. sibling: id and extensions of a primitive; kind: its type; place: FHIRPath"""

    value: Any
    sibling: Any
    kind: str
    place: str


Check = Callable[["Run", Item], None]
"""A compiled rule: what is wrong with an item goes to the run."""


@dataclass(slots=True)
class Run:
    """The state of one check. root: the resource whose contained ones `#id` means; inside: the contained one in which
    the check is, if in any; bundle: fullUrl → resource; unchecked: what could not be checked, as words; busy:
    (resource, profile) pairs that are being checked further up; conforming: those of which the outcome is known;
    answers: of a terminology server, where there is one; places: where an expression leads in a resource, by both"""

    root: dict[str, Any]
    profile: str
    bundle: Mapping[str, dict[str, Any]] = field(default_factory=dict)
    issues: list[Issue] = field(default_factory=list)
    unchecked: dict[str, None] = field(default_factory=dict)
    busy: frozenset[tuple[int, str]] = frozenset()
    answers: Answers | None = None
    conforming: dict[tuple[int, str], bool | None] = field(default_factory=dict)
    inside: dict[str, Any] | None = None
    places: dict[tuple[str, str], frozenset[str] | None] = field(default_factory=dict)

    def add(self, place: str, text: str, code: str, diagnostics: str = "", severity: str = "error") -> None:
        """Notes a finding."""
        self.issues.append(Issue(text, place, diagnostics, code, severity, self.profile))

    def under(self, profile: str) -> Run:
        """A run of its own for another profile, on the same surroundings."""
        own = Run(self.root, profile, self.bundle, [], self.unchecked, self.busy, self.answers, self.conforming)
        own.inside, own.places = self.inside, self.places
        return own

    def within(self, resource: dict[str, Any]) -> Run:
        """The same run in a resource: its root, or one that stands in that, contained or in an entry."""
        if resource is self.root:
            return self
        if any(one is resource for one in self.root.get("contained", ())):
            return replace(self, inside=resource)
        return replace(self, root=resource, inside=None)

    def is_member(self, members: Members, value_set: str, coded: Coded) -> bool | None:
        """Whether a code is in a value set, None when nobody knows."""
        found = members(value_set, coded)
        return self.answers.get((value_set, coded)) if found is None and self.answers is not None else found

    def target(self, reference: Any) -> dict[str, Any] | None:
        """The resource that a Reference leads to, when it is contained or stands in the same bundle."""
        text = reference.get("reference") if isinstance(reference, dict) else None
        if not isinstance(text, str):
            return None
        if text.startswith("#"):
            return next((one for one in self.root.get("contained", ()) if one.get("id") == text[1:]), None)
        return self.bundle.get(text)

    def target_type(self, reference: Any) -> str:
        """The type of what a Reference leads to, "" when it does not say."""
        found = self.target(reference)
        if found is not None:
            return str(found.get("resourceType", ""))
        text = reference.get("reference") if isinstance(reference, dict) else None
        match = _LITERAL.search(text) if isinstance(text, str) else None
        name = (match[1] or match[2]) if match else reference.get("type", "") if isinstance(reference, dict) else ""
        return name if name in structures().resources else ""


def bundled(bundle: dict[str, Any]) -> dict[str, dict[str, Any]]:
    """The resources of a bundle by everything that its entries may call them: fullUrl, and Type/id.

    Spec: http://hl7.org/fhir/R4/bundle.html#references"""
    found: dict[str, dict[str, Any]] = {}
    for entry in bundle.get("entry", ()):
        resource = entry.get("resource")
        if isinstance(resource, dict):
            if entry.get("fullUrl"):
                found[entry["fullUrl"]] = resource
            if "id" in resource:
                found.setdefault(f"{resource['resourceType']}/{resource['id']}", resource)
    return found

"""Validation against the base specification: required bindings, reference targets and invariants.

Enters: a decoded resource, of which the structure may be wrong. Leaves: issues, all at once, each with its place, the
fix and what was found. What acceptance.py refuses is not told again here.
Spec: http://hl7.org/fhir/R4/validation.html
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from functools import cached_property
from typing import Any

from ecluse.core.errors import Issue
from ecluse.core.fhir import narrative
from ecluse.core.fhir.definitions.rules import Rule
from ecluse.core.fhir.explain import shown
from ecluse.core.fhir.fhirpath.failures import FhirPathError
from ecluse.core.fhir.fhirpath.functions.of_fhir import contained, container, entries
from ecluse.core.fhir.fhirpath.nodes import Item, Node, collect, root
from ecluse.core.fhir.fhirpath.scope import Given
from ecluse.core.fhir.scan import MOST_ISSUES
from ecluse.core.fhir.validation.binding import misfit
from ecluse.core.fhir.validation.plan import Check, plan
from ecluse.core.fhir.validation.target import IN_OFFICIAL_FILES, leads_right, no_type, target_type


def problems(
    resource: dict[str, Any],
    place: str = "",
    *,
    warnings: bool = True,
    sound: bool = False,
    extensions: bool = True,
    addresses: Mapping[str, str] | None = None,
) -> list[Issue]:
    """Every broken rule of a resource and of the resources inside it, errors first.

    place: where it stands, "Bundle.entry[3].resource"; empty: its type; warnings: False to look for errors only; sound:
    True to look for warnings only, since sound.py found no error; extensions: False when it surely holds none;
    addresses: what else references may name, fullUrl → resource type"""
    node = root(resource, place)
    walk = _Walk(node, warnings, sound, extensions, addresses or {})
    walk.object(node)
    del walk.given  # it knows the walk: together they would keep the resource until the collector of cycles comes
    return walk.told()


class _Walk:
    def __init__(self, top: Node, warnings: bool, sound: bool, extensions: bool, addresses: Mapping[str, str]) -> None:
        self.extensions = extensions
        self.addresses = addresses
        self.errors: list[Issue] = []
        self.warned: list[Issue] = []
        self.warnings = warnings
        self.sound = sound
        self.top = top
        self.holder: Node | None = None
        self.contained: dict[str, Node] = {}
        self.given = Given(resolve=self.resolve)

    @cached_property
    def entries(self) -> dict[str, Node]:
        """The resources of the bundle that is validated, by their addresses."""
        return entries(self.top)

    def resolve(self, link: str, node: Node) -> Node | None:
        """The contained resource or entry that a reference names, each looked for once."""
        if not link.startswith("#"):
            kind = self.addresses.get(link)
            return root({"resourceType": kind}) if kind else self.entries.get(link)
        holder = container(node)
        if holder is None or link == "#":
            return holder
        if holder is not self.holder:
            self.holder, self.contained = holder, contained(holder)
        return self.contained.get(link[1:])

    def object(self, node: Node) -> None:
        """A resource or complex element; of a primitive its id and extensions."""
        holder = node.sibling if node.member.primitive else node.value
        if type(holder) is not dict or len(self.errors) > MOST_ISSUES:
            return
        rules, checks, bare, warned = plan(node.type)
        if rules:
            self.rules(rules, node)
        if self.sound:
            checks = warned
        elif not self.extensions:
            checks = bare
        for name in holder:
            check = checks.get(name)
            if check is None or (check.beside and check.member.key in holder):
                continue
            if not (check.targets and leads_right(holder[name], check.targets, self.addresses)):
                self.member(check, node)

    def member(self, check: Check, holder: Node) -> None:
        """All values of one member."""
        found: list[Item] = []
        collect(holder, (check.member,), found)
        for node in found:
            if check.value_set and node.value is not None and (wish := misfit(node.value, check.value_set)):
                self.add(node, wish, "code-invalid")
            if check.targets:
                self.target(f"{holder.type}.{check.member.name}", check.targets, node)
            if check.rules:
                self.rules(check.rules, node)
            self.object(node)

    def target(self, path: str, allowed: tuple[str, ...], node: Node) -> None:
        """A reference leads to one of the types that its element allows."""
        if type(node.value) is not dict:
            return
        kind = target_type(node, self.given)
        if not kind and (word := no_type(node)):
            text = f"R4 has no resource type {word}; refer to {_either(allowed)}."
            self.note(Issue(text, node.location, f"found {shown(node.value['reference'])}", "value"))
        elif kind and kind not in allowed:
            reference = node.value.get("reference") or kind
            text = f"Refer to {_either(allowed)}: this element takes no {kind}."
            severity = "warning" if (path, kind) in IN_OFFICIAL_FILES else "error"
            self.note(Issue(text, node.location, f"found {shown(reference)}", "value", severity))

    def rules(self, rules: Iterable[Rule], node: Node) -> None:
        """The invariants of an element. An outcome that is empty meets no rule: only true does."""
        for rule in rules:
            if self.sound if rule.severity == "error" else not self.warnings:
                continue
            if type(node.value) is dict and rule.told(node.value):
                continue
            try:
                met = rule.condition.holds(node, self.given) is True
            except FhirPathError as error:
                self.unknown(rule, node, error)
            else:
                if not met:
                    self.broken(rule, node)

    def broken(self, rule: Rule, node: Node) -> None:
        text = rule.text.strip().removesuffix(".")
        if rule.key == "txt-1" and isinstance(node.value, str):
            text = narrative.problem(node.value).removesuffix(".")
        self.add(node, f"{text} ({rule.key}).", "invariant", rule.severity)

    def unknown(self, rule: Rule, node: Node, error: FhirPathError) -> None:
        text = f"{rule.key} could not be checked: {error}"
        self.note(Issue(text, node.location, rule.condition.text, "incomplete", "warning"))

    def add(self, node: Node, text: str, code: str, severity: str = "error") -> None:
        value = node.sibling if node.value is None else node.value
        self.note(Issue(text, node.location, f"found {shown(value)}", code, severity))

    def note(self, issue: Issue) -> None:
        """Keeps an issue, of each severity one more than is told; so many warnings never hide an error."""
        kept = self.errors if issue.severity == "error" else self.warned
        if len(kept) <= MOST_ISSUES and (self.warnings or kept is self.errors):
            kept.append(issue)

    def told(self) -> list[Issue]:
        """What was found, and whether there is more."""
        found = self.errors[:MOST_ISSUES] + self.warned[:MOST_ISSUES]
        for kept, name in ((self.errors, "errors"), (self.warned, "warnings")):
            if len(kept) > MOST_ISSUES:
                text = f"Only the first {MOST_ISSUES} {name} are listed: mend these and validate again."
                found.append(Issue.information(text, self.top.location))
        return found


def _either(types: tuple[str, ...]) -> str:
    return types[0] if len(types) == 1 else f"{', '.join(types[:-1])} or {types[-1]}"

"""The profiles of a library, compiled when first used.

Enters: a library, and what answers for value sets. Leaves: profiles with their checks; whether a value
conforms to one.
Spec: http://hl7.org/fhir/R4/profiling.html
"""

from __future__ import annotations

from typing import NamedTuple

from ecluse.core.errors import Unprocessable
from ecluse.core.fhir.definitions.extensions import Usage, usage_of
from ecluse.core.fhir.definitions.structures import structures
from ecluse.core.fhir.fhirpath.nodes import is_a
from ecluse.core.fhir.validation.profiles.checks import any_of
from ecluse.core.fhir.validation.profiles.compile import NOTHING, Compiler
from ecluse.core.fhir.validation.profiles.context import usage_in
from ecluse.core.fhir.validation.profiles.element import Node
from ecluse.core.fhir.validation.profiles.library import Library, NotLoaded, is_base_type
from ecluse.core.fhir.validation.profiles.run import Check, Item, Run
from ecluse.core.fhir.validation.profiles.tree import tree_of
from ecluse.core.fhir.validation.profiles.value_sets import Members, ValueSets

UNREADABLE = (Unprocessable, KeyError, TypeError, ValueError, AttributeError, IndexError, RecursionError)
"""What a definition raises that is none: guides are other people's files. It is told with each resource."""

R4 = "4.0.1"
"""The version of R4's own definitions, of which corrected ones are built in."""


class Profile(NamedTuple):
    """A compiled profile. gaps: what it says and is not checked, as words"""

    url: str
    type: str
    checks: tuple[Check, ...]
    gaps: tuple[str, ...]


class Profiles:
    """All profiles of one library."""

    def __init__(self, library: Library, value_sets: Members | None = None) -> None:
        self.library = library
        self.value_sets: Members = value_sets or ValueSets(library)
        self._trees: dict[str, Node | None] = {}
        self._profiles: dict[str, Profile | None] = {}
        self._usages: dict[str, Usage | None] = {}

    def type_of(self, canonical: str) -> str:
        """The type that a profile is for, "" when nobody knows the profile."""
        return self.library.type_of(canonical)

    def tree(self, canonical: str) -> Node | None:
        """The tree of a definition, None when there is none.

        Raises: NotLoaded
        """
        canonical = self.library.settled(canonical)
        if canonical not in self._trees:
            self._trees[canonical] = None  # the answer to a base that leads back to itself
            try:
                self._trees[canonical] = self._tree(canonical)
            except NotLoaded:
                del self._trees[canonical]
                raise
            except UNREADABLE:
                self._trees[canonical] = None
        return self._trees[canonical]

    def _tree(self, canonical: str) -> Node | None:
        if is_base_type(canonical):
            return Node(self.type_of(canonical), self.type_of(canonical))
        definition = self.library.get(canonical)
        if definition is None or definition.get("resourceType") != "StructureDefinition":
            return None
        return tree_of(definition, lambda base: self.tree(base) or Node(definition["type"], definition["type"]))

    def profile(self, canonical: str) -> Profile | None:
        """A compiled profile, None when there is none.

        Raises: NotLoaded
        """
        canonical = self.library.settled(canonical)
        if canonical not in self._profiles:
            try:
                self._profiles[canonical] = self._compiled(canonical)
            except UNREADABLE:
                self._profiles[canonical] = None
        return self._profiles[canonical]

    def _compiled(self, canonical: str) -> Profile | None:
        tree, definition = self.tree(canonical), self.library.get(canonical)
        if tree is None or definition is None:
            return None
        url, version, kind = definition["url"], definition.get("version"), definition["type"]
        compiler = Compiler(self, tree)
        checks = compiler.item(tree, NOTHING, kind)
        return Profile(f"{url}|{version}" if version else url, kind, checks, tuple(compiler.gaps))

    def usage(self, url: str) -> Usage | None:
        """Where an extension may stand, by its installed definition, else by R4's own; None when nobody tells.

        Raises: NotLoaded
        """
        if url not in self._usages:
            definition, built_in = self.library.get(url) if self.type_of(url) == "Extension" else None, usage_of(url)
            if definition is None or (built_in is not None and definition.get("version") == R4):
                self._usages[url] = built_in
            else:
                self._usages[url] = usage_in(definition)
        return self._usages[url]

    def check(self, run: Run, item: Item, canonical: str) -> bool:
        """Checks an item against a profile; its issues go to the run, under the profile's url. False when nobody knows
        the profile."""
        profile = None if is_base_type(canonical) else self.profile(canonical)
        if profile is None:
            if not is_base_type(canonical):
                known = self.library.entry(canonical) is not None
                why = "whose definition cannot be read" if known else "which is not installed"
                run.unchecked[f"the profile {canonical}, {why}"] = None
            return is_base_type(canonical)
        key = (id(item.value), profile.url)
        if key not in run.busy:
            own = run.under(profile.url)
            own = own.within(item.value) if item.kind in structures().resources else own
            own.busy = run.busy | {key}
            for check in profile.checks:
                check(own, item)
            run.unchecked.update(dict.fromkeys(profile.gaps))
            run.issues.extend(own.issues)
        return True

    def conforms(self, run: Run, item: Item, canonical: str) -> bool | None:
        """Whether an item conforms to a profile, None when nobody knows the profile."""
        kind = self.type_of(canonical)
        if is_base_type(canonical) or (kind and item.kind and not is_a(item.kind, kind)):
            return is_a(item.kind, kind)
        key = (id(item.value), canonical)
        if key not in run.conforming:
            own = run.under(canonical)
            known = self.check(own, item, canonical)
            run.conforming[key] = not any(issue.severity == "error" for issue in own.issues) if known else None
        return run.conforming[key]

    def conforming(self, kind: str, canonicals: tuple[str, ...]) -> Check:
        """A check that an item of this type conforms to one of the profiles."""
        if len(canonicals) == 1:
            wanted = self.type_of(canonicals[0])

            def check(run: Run, item: Item) -> None:
                if not is_a(item.kind, kind) or not isinstance(item.value, dict):
                    return
                if wanted and not is_a(item.kind, wanted):
                    text = f"Write {wanted} here: the profile allows nothing but {canonicals[0]}."
                    run.add(item.place, text, "structure", f"found a {item.kind}")
                else:
                    self.check(run, item, canonicals[0])

            return check

        def check_any(run: Run, item: Item) -> None:
            if not is_a(item.kind, kind) or not isinstance(item.value, dict):
                return
            if all(self.conforms(run, item, canonical) is False for canonical in canonicals):
                text = f"Make this {kind} conform to {any_of(canonicals)}: it does to none of them."
                run.add(item.place, text, "structure")

        return check_any

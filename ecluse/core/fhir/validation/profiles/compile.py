"""From the tree of a profile to its checks, each compiled once.

Enters: a node, and the type it stands in. Leaves: a check of the node's items. What the base definition says already is
left out, since acceptance has checked it: most elements of a snapshot end as nothing at all.
Spec: http://hl7.org/fhir/R4/profiling.html
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import TYPE_CHECKING, NamedTuple

import msgspec

from ecluse.core.fhir.definitions.rules import value_set_of
from ecluse.core.fhir.definitions.structures import Element, structures
from ecluse.core.fhir.validation.profiles import checks
from ecluse.core.fhir.validation.profiles.element import Binding, Node, TypeRef
from ecluse.core.fhir.validation.profiles.invariants import invariant
from ecluse.core.fhir.validation.profiles.library import is_base_type
from ecluse.core.fhir.validation.profiles.paths import items_of, names_of
from ecluse.core.fhir.validation.profiles.run import Check, Item, Run
from ecluse.core.fhir.validation.profiles.slicing import Sliced, sliced

if TYPE_CHECKING:
    from ecluse.core.fhir.validation.profiles.profiles import Profiles

NOTHING = Node("", "")
_OWN_BASE = ("ele-", "ext-", "dom-")


class Member(NamedTuple):
    """The compiled rules of one element: how often it stands, what each item must be, how they are sliced.

    names: those in JSON, each with its type; allowed: those that the profile leaves"""

    name: str
    names: tuple[tuple[str, str], ...]
    allowed: tuple[str, ...]
    least: int
    most: int | None
    each: tuple[Check, ...]
    slices: Sliced | None

    def check(self, run: Run, item: Item) -> None:
        """Checks the element in the object that an item is."""
        holder = item.value if isinstance(item.value, dict) else item.sibling
        items = items_of(holder, self.names, f"{item.place}.{self.name}") if holder is not None else []
        count = len(items)
        if count < self.least:
            run.add(f"{item.place}.{self.name}", _missing(self.allowed, self.least), "required", f"found {count}")
        elif self.most is not None and count > self.most:
            place = items[self.most].place if self.most else f"{item.place}.{self.name}"
            run.add(place, _too_many(self.name, self.most), "structure", f"found {count}")
            if self.most == 0:
                return
        for one in items:
            for check in self.each:
                check(run, one)
        if self.slices is not None and (items or self.slices.least):
            self.slices.check(run, items, f"{item.place}.{self.name}")


def _missing(allowed: Sequence[str], least: int) -> str:
    which = f"one of {', '.join(allowed)}" if len(allowed) > 1 else allowed[0]
    return f"Add {which}: the profile requires {'it' if least == 1 else f'at least {least}'}."


def _too_many(name: str, most: int) -> str:
    return (
        f"Keep at most {most} of {name}: the profile allows no more."
        if most
        else f"Leave out {name}: the profile does not allow it."
    )


class Compiler:
    """Compiles the tree of one profile. root: for content references; gaps: what the profile says and is not checked"""

    def __init__(self, profiles: Profiles, root: Node) -> None:
        self.profiles, self.root = profiles, root
        self.gaps: dict[str, None] = {}
        self._of_reference: dict[str, tuple[Check, ...]] = {}

    def item(self, node: Node, given: Node, kind: str, base: Element | None = None) -> tuple[Check, ...]:
        """The checks of one item of a node. given: the node whose checks it has passed already; kind: its type, ""
        when it may have several; base: what R4 says of it"""
        found: list[Check] = [
            *self._types(node, given, base),
            *self._plain(node, given),
            *self._constraints(node, given),
        ]
        if node.same_as and not node.children:
            found.extend(self._referenced(node.same_as, kind))
        members = [
            rule
            for name, child in node.children.items()
            if (rule := self._member(child, given.children.get(name), kind, name))
        ]
        if members:
            inside = node is not self.root and (kind in ("", "Resource") or kind in structures().resources)
            found.append((_resource if inside else _object)([member.check for member in members]))
        return tuple(found)

    def _types(self, node: Node, given: Node, base: Element | None) -> list[Check]:
        if node.types == given.types:
            return []
        codes = tuple(dict.fromkeys(kind.code for kind in node.types))
        found: list[Check] = []
        if base is not None and node.types and (base.choice or base.types == ("Resource",)):
            if (
                "Resource" not in codes
                and set(codes) != set(base.types)
                and codes != tuple(k.code for k in given.types)
            ):
                found.append(checks.allows_types(node.name, codes))
        for kind in node.types:
            found.extend(self._typed(kind, base))
        return found

    def _typed(self, kind: TypeRef, base: Element | None) -> list[Check]:
        found: list[Check] = []
        of_any = kind.code in ("Resource", "DomainResource")
        profiles = tuple(profile for profile in kind.profiles if of_any or not is_base_type(profile))
        if profiles and kind.code != "Extension":
            found.append(self.profiles.conforming(kind.code, profiles))
        types = sorted(target.rpartition("/")[2] for target in kind.targets)
        if kind.code == "Reference" and kind.targets and not (base and types == sorted(base.targets)):
            check = checks.refers_to(self.profiles, kind)
            found.extend([check] if check else [])
            for target in kind.targets:
                if not self.profiles.type_of(target):
                    self.gaps[f"whether references lead to {target}, which is not installed"] = None
        return found

    def _plain(self, node: Node, given: Node) -> list[Check]:
        found: list[Check] = []
        if node.wanted is not msgspec.UNSET and node.wanted != given.wanted:
            found.append(checks.wants(node))
        if node.binding is not None and node.binding != given.binding:
            found.extend(checks.bound(self.profiles, node.binding))
        if node.longest is not None and node.longest != given.longest:
            found.append(checks.at_most_long(node.name, node.longest))
        if node.bounds != given.bounds:
            found.append(checks.within(node.name, node.bounds))
        return found

    def _constraints(self, node: Node, given: Node) -> list[Check]:
        found: list[Check] = []
        for key, constraint in node.constraints.items():
            if key in given.constraints or is_base_type(constraint.source) or key.startswith(_OWN_BASE):
                continue
            check = invariant(self.profiles, constraint)
            if check is None:
                self.gaps[f"the invariant {key}"] = None
            else:
                found.append(check)
        return found

    def _referenced(self, element_id: str, kind: str) -> tuple[Check, ...]:
        """The checks of the element whose content another one has, compiled when the first item comes."""

        def check(run: Run, item: Item) -> None:
            if element_id not in self._of_reference:
                self._of_reference[element_id] = self.item(_find(self.root, element_id), NOTHING, kind)
            for one in self._of_reference[element_id]:
                one(run, item)

        return (check,) if _find(self.root, element_id).children else ()

    def _member(self, node: Node, given: Node | None, parent: str, name: str) -> Member | None:
        given = given or NOTHING
        base = _base(parent, node.name)
        if _is_binding_of_r4(node.binding, f"{parent}.{node.name}"):
            node = replace(node, binding=given.binding)
        names = names_of(parent, node.name) if base or not name.endswith("[x]") else _choices(node)
        kind = names[0][1] if len(names) == 1 and names[0][1] != "Resource" else node.one_type
        least = node.least or 0
        least = 0 if least == (given.least or 0) or least <= _base_least(base) else least
        most = None if node.most == given.most or node.most == _base_most(base) else node.most
        each = self.item(node, given, kind, base)
        slices = sliced(self, node, given, kind) if node.slices else None
        if not least and most is None and not each and slices is None:
            return None
        return Member(node.name, names, _allowed(names, node), least, most, each, slices)


def _object(members: list[Check]) -> Check:
    def check(run: Run, item: Item) -> None:
        for member in members:
            member(run, item)

    return check


def _resource(members: list[Check]) -> Check:
    """The same of what may be a resource inside another one, which is what `%resource` and `#id` then mean."""
    each = _object(members)

    def check(run: Run, item: Item) -> None:
        each(run.within(item.value) if item.kind in structures().resources else run, item)

    return check


def _is_binding_of_r4(binding: Binding | None, path: str) -> bool:
    """Whether R4 itself requires these codes of an element."""
    if binding is None or binding.strength != "required" or binding.at_most:
        return False
    return value_set_of(path) == binding.value_set.partition("|")[0]


def _base(parent: str, name: str) -> Element | None:
    return next((element for element in structures().types.get(parent, ()) if element.name == name), None)


def _base_least(base: Element | None) -> int:
    return 1 if base is not None and base.required else 0


def _base_most(base: Element | None) -> int | None:
    return 1 if base is not None and not base.many else None


def _allowed(names: tuple[tuple[str, str], ...], node: Node) -> tuple[str, ...]:
    """The JSON names of an element in the types that its node names."""
    codes = {kind.code for kind in node.types}
    return tuple(name for name, kind in names if kind in codes) or tuple(name for name, _ in names)


def _choices(node: Node) -> tuple[tuple[str, str], ...]:
    """The JSON names of a choice in a type that is not known, by the types that the node names."""
    return tuple((node.name + kind.code[:1].upper() + kind.code[1:], kind.code) for kind in node.types)


def _find(root: Node, element_id: str) -> Node:
    """The node of an id, one without restrictions when the tree has none."""
    node = root
    for step in element_id.split(".")[1:]:
        name, _, part = step.partition(":")
        if name not in node.children:
            return NOTHING
        node = node.children[name]
        node = node.slices.get(part, node) if part else node
    return node

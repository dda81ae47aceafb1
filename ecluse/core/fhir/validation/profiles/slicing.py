"""A sliced element: which slice each item belongs to, how many each has, and what each of its items must be.

Enters: the node of a sliced element. Leaves: its compiled slices. An item goes to the first slice that takes it.
Spec: http://hl7.org/fhir/R4/profiling.html#slicing
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, NamedTuple

from ecluse.core.fhir.validation.profiles import checks
from ecluse.core.fhir.validation.profiles.element import Node, Slicing
from ecluse.core.fhir.validation.profiles.run import Check, Item, Run
from ecluse.core.fhir.validation.profiles.slices import Match, described, matcher, near_miss

if TYPE_CHECKING:
    from ecluse.core.fhir.validation.profiles.compile import Compiler

DEFAULT = "@default"
OPEN = Slicing(())


class Slice(NamedTuple):
    """One slice. takes: None for the default slice, which takes what no other took; near: says why an item that looks
    like one of the slice is none"""

    name: str
    words: str
    takes: Match | None
    least: int
    most: int | None
    each: tuple[Check, ...]
    slices: Sliced | None
    near: Check | None


class Sliced(NamedTuple):
    """All slices of an element. least: whether one of them must be there"""

    name: str
    rules: str
    ordered: bool
    slices: tuple[Slice, ...]
    least: bool

    def check(self, run: Run, items: Sequence[Item], place: str) -> None:
        """Checks the items of an element. place: of the element, without index"""
        taken: list[list[Item]] = [[] for _ in self.slices]
        last, unsure = 0, False
        left: list[Item] = []
        for item in items:
            index, certain = self._slice_of(run, item)
            unsure = unsure or not certain
            if index is None:
                if certain:
                    self._left(run, item)
                    left.append(item)
                continue
            taken[index].append(item)
            if left and self.rules == "openAtEnd":
                text = f"Put this {self.name} after all of its slices: the profile lets others stand at the end only."
                run.add(left[-1].place, text, "structure")
            if self.ordered and index < last:
                text = f"Put {self.slices[index].name} before {self.slices[last].name}: the profile orders {self.name}."
                run.add(item.place, text, "structure")
            last = max(last, index)
        for own, found in zip(self.slices, taken, strict=True):
            self._one(run, own, found, place)
            if len(found) < own.least and not unsure:
                self._missing(run, own, found, left, place)

    def _slice_of(self, run: Run, item: Item) -> tuple[int | None, bool]:
        """The slice that takes an item, and whether it is certain that no other does."""
        default, certain = None, True
        for index, one in enumerate(self.slices):
            if one.takes is None:
                default = index
                continue
            answer = one.takes(run, item)
            if answer:
                return index, True
            certain = certain and answer is not None
        return (default if certain else None), certain

    def _left(self, run: Run, item: Item) -> None:
        """An item that no slice takes."""
        if self.rules == "closed":
            names = checks.any_of([_named(one) for one in self.slices])
            text = f"Leave this {self.name} out or make it {names}: the profile allows no other."
            run.add(item.place, text, "structure", checks.found(item.value))

    def _missing(self, run: Run, own: Slice, items: list[Item], left: list[Item], place: str) -> None:
        """A slice with too few items, and why those that look like it are not of it."""
        times = "it" if own.least == 1 else f"at least {own.least}"
        text = f"Add {self.name} {_named(own)}: the profile requires {times}."
        run.add(place, text, "required", f"found {len(items)}")
        if own.near is not None:
            for item in left:
                own.near(run, item)

    def _one(self, run: Run, own: Slice, items: list[Item], place: str) -> None:
        """The items of a slice."""
        if own.most is not None and len(items) > own.most:
            more = f"Keep at most {own.most} of" if own.most else "Leave out"
            text = f"{more} {self.name} {_named(own)}: the profile allows no more."
            run.add(items[own.most].place, text, "structure", f"found {len(items)}")
        for item in items:
            for check in own.each:
                check(run, item)
        if own.slices is not None and items:
            own.slices.check(run, items, place)


def _named(one: Slice) -> str:
    return f"{one.name} ({one.words})" if one.words else one.name


def sliced(compiler: Compiler, node: Node, given: Node, kind: str) -> Sliced | None:
    """The compiled slices of a node, None when they cannot be told apart here: that is noted as a gap."""
    slicing = node.slicing or OPEN
    slices = []
    for name, own in node.slices.items():
        takes = None if name == DEFAULT else matcher(compiler.profiles, slicing, own)
        if takes is None and name != DEFAULT:
            how = ", ".join(f"{one.type} {one.path}" for one in slicing.discriminators) or "nothing"
            compiler.gaps[f"the slices of {node.id} by {how}"] = None
            return None
        slices.append(_slice(compiler, node, own, takes, kind))
    least = any(one.least for one in slices)
    if slicing.rules == "open" and not slicing.ordered and not any(_says_anything(one) for one in slices):
        return None
    return Sliced(node.name, slicing.rules, slicing.ordered, tuple(slices), least)


def _slice(compiler: Compiler, node: Node, own: Node, takes: Match | None, kind: str) -> Slice:
    kind, slicing = own.one_type or kind, node.slicing or OPEN
    each = compiler.item(own, node, kind)
    inner = sliced(compiler, own, node, kind) if own.slices else None
    most = None if own.most == node.most else own.most
    words = described(compiler.profiles, slicing, own)
    near = near_miss(compiler.profiles, slicing, own)
    return Slice(own.id.rpartition(":")[2], words, takes, own.least or 0, most, each, inner, near)


def _says_anything(one: Slice) -> bool:
    return bool(one.least or one.most is not None or one.each or one.slices)

"""Which items of a sliced element belong to a slice.

Enters: the discriminators of a slicing and the node of one slice. Leaves: a function of an item that says yes, no, or
None where it cannot be known here (a reference that leads elsewhere, a value set of an unknown code system); or None
instead of the function when the discriminators are not understood.
Spec: http://hl7.org/fhir/R4/profiling.html#discriminator
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import TYPE_CHECKING, Any

import msgspec

from ecluse.core.fhir.validation.profiles.codes import codes_of
from ecluse.core.fhir.validation.profiles.element import Discriminator, Node, Slicing
from ecluse.core.fhir.validation.profiles.library import BASE
from ecluse.core.fhir.validation.profiles.paths import Step, at_end, steps
from ecluse.core.fhir.validation.profiles.run import Item, Run
from ecluse.core.fhir.validation.profiles.three_valued import every, some
from ecluse.core.fhir.validation.profiles.values import equal, includes, told

if TYPE_CHECKING:
    from ecluse.core.fhir.validation.profiles.profiles import Profiles

Match = Callable[[Run, Item], bool | None]


def matcher(profiles: Profiles, slicing: Slicing, node: Node) -> Match | None:
    """Whether an item is of the slice of this node."""
    parts = [(one, _part(profiles, one, node)) for one in slicing.discriminators]
    known = [part for _, part in parts if part is not None]
    if not known or any(part is None and not _leaves_open(one) for one, part in parts):
        return None
    return known[0] if len(known) == 1 else lambda run, item: every(part(run, item) for part in known)


def _leaves_open(discriminator: Discriminator) -> bool:
    """Whether a slice that says nothing where a discriminator looks takes items with anything there: so with a value
    below the item itself."""
    path = steps(discriminator.path)
    return discriminator.type in ("value", "pattern") and bool(path) and all(step.op == "member" for step in path or ())


def _part(profiles: Profiles, discriminator: Discriminator, node: Node) -> Match | None:
    path = steps(discriminator.path)
    if path is None:
        return None
    match discriminator.type:
        case "value" | "pattern":
            return _by_value(profiles, path, node)
        case "exists":
            return _by_existence(profiles, path, node)
        case "type":
            return _by_type(profiles, path, node)
        case "profile":
            return _by_profile(profiles, path, node)
    return None


def _by_value(profiles: Profiles, path: tuple[Step, ...], node: Node) -> Match | None:
    if path == (Step("member", "url"),) and node.types and node.types[0].profiles:
        url = node.types[0].profiles[0].partition("|")[0]
        return lambda run, item: item.value.get("url") == url
    end: Node | None = node
    test: Match | None = None
    for index, step in enumerate(path):
        if end is None:
            return None
        if end.wanted is not msgspec.UNSET:
            test = _among(end.wanted, path[index:])
            break
        end = below(profiles, end, step)
    test = test or (_test(profiles, end) if end is not None else None)
    if test is None:
        return None
    leads_away = any(step.op == "resolve" for step in path)
    return _any_at_end(path, test, leads_away=leads_away)


def _any_at_end(path: tuple[Step, ...], test: Match, *, leads_away: bool) -> Match:
    if not path:
        return test

    def match(run: Run, item: Item) -> bool | None:
        ends = at_end(run, item, path)
        if not ends and leads_away:
            return None
        return some(test(run, end) for end in ends)

    return match


def _among(wanted: Any, path: tuple[Step, ...]) -> Match | None:
    """Equality with what stands at the rest of the path in a value that is wanted whole."""
    ends = [end.value for end in at_end(Run({}, ""), Item(wanted, None, "", ""), path)]
    return (lambda run, item: any(includes(item.value, end) for end in ends)) if ends else None


def _test(profiles: Profiles, node: Node) -> Match | None:
    """What a node wants of a value: its fixed value, pattern or required binding, else those of its children."""
    if node.fixed is not msgspec.UNSET:
        return lambda run, item: equal(item.value, node.fixed)
    if node.pattern is not msgspec.UNSET:
        return lambda run, item: includes(item.value, node.pattern)
    tests = [_any_at_end((step,), test, leads_away=False) for step, test in _tests_below(profiles, node)]
    binding = node.binding
    if binding is not None and binding.strength == "required" and not tests:
        value_set = binding.value_set
        return lambda run, item: some(run.is_member(profiles.value_sets, value_set, one) for one in codes_of(item))
    return (lambda run, item: every(test(run, item) for test in tests)) if tests else None


def _tests_below(profiles: Profiles, node: Node) -> Iterator[tuple[Step, Match]]:
    for child in node.children.values():
        for one in (child, *(one for one in child.slices.values() if one.least)):
            test = _test(profiles, one)
            if test is not None:
                yield Step("member", child.name), test


def _by_existence(profiles: Profiles, path: tuple[Step, ...], node: Node) -> Match | None:
    end: Node | None = node
    for step in path:
        end = below(profiles, end, step) if end is not None else None
    if end is None or (end.most != 0 and not end.least):
        return None
    wanted = end.most != 0
    return lambda run, item: bool(at_end(run, item, path)) is wanted


def _by_type(profiles: Profiles, path: tuple[Step, ...], node: Node) -> Match | None:
    if path and path[-1].op == "resolve":
        return _by_target_type(profiles, path[:-1], node)
    end: Node | None = node
    for step in path:
        end = below(profiles, end, step) if end is not None else None
    codes = {kind.code for kind in end.types} if end is not None else set()
    if not codes:
        return None
    return lambda run, item: any(one.kind in codes for one in at_end(run, item, path))


def _by_target_type(profiles: Profiles, path: tuple[Step, ...], node: Node) -> Match | None:
    types = {profiles.type_of(target) for target in _targets(profiles, path, node)}
    if not types or "" in types:
        return None

    def match(run: Run, item: Item) -> bool | None:
        found = [run.target_type(end.value) for end in at_end(run, item, path)]
        return some(None if not one else one in types for one in found)

    return match


def _by_profile(profiles: Profiles, path: tuple[Step, ...], node: Node) -> Match | None:
    if path and path[-1].op == "resolve":
        return _by_target_profile(profiles, path[:-1], node)
    end: Node | None = node
    for step in path:
        end = below(profiles, end, step) if end is not None else None
    wanted = [one for kind in end.types for one in kind.profiles or (BASE + kind.code,)] if end is not None else []
    if not wanted:
        return None
    return lambda run, item: some(
        profiles.conforms(run, one, profile) for one in at_end(run, item, path) for profile in wanted
    )


def _by_target_profile(profiles: Profiles, path: tuple[Step, ...], node: Node) -> Match | None:
    wanted = _targets(profiles, path, node)
    types = {profiles.type_of(target) for target in wanted}
    if not wanted:
        return None

    def one(run: Run, reference: Any) -> bool | None:
        found, kind = run.target(reference), run.target_type(reference)
        if kind and "" not in types and kind not in types:
            return False
        if found is None:
            return None
        item = Item(found, None, kind, kind)
        return some(profiles.conforms(run, item, profile) for profile in wanted)

    return lambda run, item: some(one(run, end.value) for end in at_end(run, item, path))


def _targets(profiles: Profiles, path: tuple[Step, ...], node: Node) -> list[str]:
    end: Node | None = node
    for step in path:
        end = below(profiles, end, step) if end is not None else None
    return [target for kind in end.types for target in kind.targets] if end is not None else []


def below(profiles: Profiles, node: Node, step: Step) -> Node | None:
    """The node that a step leads to, by way of the profiles of the node's types when it has none itself."""
    found = _own(node, step)
    if found is not None:
        return found
    canonicals = [
        canonical for kind in node.types for canonical in (kind.targets if step.op == "resolve" else kind.profiles)
    ]
    trees = [tree for canonical in canonicals if (tree := profiles.tree(canonical)) is not None]
    if step.op == "resolve":
        return trees[0] if len(trees) == 1 else None
    return next((found for tree in trees if (found := _own(tree, step)) is not None), None)


def _own(node: Node, step: Step) -> Node | None:
    match step.op:
        case "member":
            return node.children.get(step.name) or node.children.get(f"{step.name}[x]")
        case "type":
            typed = [one for one in node.slices.values() if one.one_type == step.name]
            return typed[0] if typed else node if step.name in {kind.code for kind in node.types} else None
        case "extension":
            slices = node.children["extension"].slices.values() if "extension" in node.children else ()
            return next((one for one in slices if any(step.name in kind.profiles for kind in one.types)), None)
    return None


def described(profiles: Profiles, slicing: Slicing, node: Node) -> str:
    """What tells a slice apart, in a few words: the first value that it wants where the discriminators look, else
    anywhere."""
    for discriminator in slicing.discriminators:
        path = steps(discriminator.path) or ()
        end: Node | None = node
        for step in path:
            end = below(profiles, end, step) if end is not None else None
        words = _first_wanted(end) if end is not None else ""
        if words:
            return " ".join(filter(None, (discriminator.path if path else "", words)))
    return _first_wanted(node)


def _first_wanted(node: Node) -> str:
    if node.wanted is not msgspec.UNSET:
        return told(node.wanted)
    if node.types and node.types[0].profiles:
        return node.types[0].profiles[0]
    for child in node.children.values():
        for one in (child, *child.slices.values()):
            words = _first_wanted(one)
            if words:
                return f"{child.name} {words}"
    return f"a code of {node.binding.value_set}" if node.binding and node.binding.value_set else ""


def near_miss(profiles: Profiles, slicing: Slicing, node: Node) -> Callable[[Run, Item], None] | None:
    """For a slice that is known by its profile: tells why an item that has the type of the slice does not conform. None
    for other slices."""
    paths = [steps(one.path) for one in slicing.discriminators if one.type == "profile"]
    path = paths[0] if len(paths) == 1 else None
    if path is None or any(step.op != "member" for step in path):
        return None
    end: Node | None = node
    for step in path:
        end = below(profiles, end, step) if end is not None else None
    kinds = {kind.code: kind.profiles[0] for kind in end.types if len(kind.profiles) == 1} if end is not None else {}

    def tell(run: Run, item: Item) -> None:
        for one in at_end(run, item, path):
            if one.kind in kinds:
                place = f"{item.place}.{path[-1].name}" if path else item.place
                profiles.check(run, one._replace(place=place), kinds[one.kind])

    return tell if kinds else None

"""Elements of a decoded resource, changed where they stand: a primitive and its `_name` sibling together.

Enters: nodes, and values for the elements they go to. Leaves: the resource changed in place, or `Refused`.
Spec: http://hl7.org/fhir/R4/json.html#primitive
"""

from __future__ import annotations

from typing import Any

from ecluse.core.fhir import json
from ecluse.core.fhir.definitions.structures import structures
from ecluse.core.fhir.fhirpath.nodes import Member, Node, members
from ecluse.core.fhir.patch.values import Value

Pair = tuple[Any, Any]
"""The value of an element, and of a primitive the object with its id and extensions."""


class Refused(Exception):
    """Why an operation cannot be done. node: where; found: what stands there"""

    def __init__(self, text: str, node: Node | None = None, code: str = "", found: str = "") -> None:
        super().__init__(text)
        self.node = node
        self.code = code
        self.found = found


class Row:
    """A list of elements: the array of values and, of primitives, that of their siblings."""

    def __init__(self, holder: dict[str, Any], member: Member, node: Node) -> None:
        self.holder = holder
        self.member = member
        self.node = node

    def __len__(self) -> int:
        return max(len(self.holder.get(key, ())) for key in self._keys)

    @property
    def _keys(self) -> list[str]:
        return [self.member.key, *([self.member.sibling] if self.member.sibling else [])]

    def insert(self, at: int, pair: Pair) -> None:
        """Puts an element before the one at this index."""
        for array, one in zip(self._arrays(), pair, strict=False):
            array.insert(at, one)

    def pop(self, at: int) -> Pair:
        """Takes an element out."""
        found = [array.pop(at) for array in self._arrays()]
        return found[0], found[1] if len(found) > 1 else None

    def _arrays(self) -> list[list[Any]]:
        """The arrays, made equally long."""
        arrays: list[list[Any]] = [self.holder.setdefault(key, []) for key in self._keys]
        longest = max(map(len, arrays))
        for array in arrays:
            array.extend([None] * (longest - len(array)))
        return arrays

    def check(self, index: int, end: int, name: str) -> None:
        """Raises: Refused when an index is none of this list"""
        if not 0 <= index < end:
            raise Refused(f"{name} is from 0 to {end - 1} here.", self.node, found=f"{name} {index}")


def holder_of(node: Node) -> Any:
    """The object in which an element stands."""
    parent = node.parent
    if parent is None:
        raise Refused("the resource itself cannot be taken away or replaced: name an element of it.", node)
    return parent.sibling if parent.member.primitive else parent.value


def row_of(node: Node) -> Row:
    """The list in which an element stands."""
    return Row(holder_of(node), node.member, node)


def removed(node: Node) -> None:
    """Takes an element away."""
    holder = holder_of(node)
    if node.index >= 0:
        row_of(node).pop(node.index)
        return
    holder.pop(node.member.key, None)
    holder.pop(node.member.sibling, None)


def replaced(node: Node, value: Value) -> None:
    """Puts a value in the place of an element; of a choice it may be of another type."""
    holder = holder_of(node)
    if node.index >= 0:
        row = row_of(node)
        row.pop(node.index)
        row.insert(node.index, object_of(value, node.member))
        return
    assert node.parent is not None
    member = _member(members(node.parent.type)[node.member.name], value, node)
    removed(node)
    _put(holder, member, object_of(value, member))


def added(node: Node, name: str, value: Value) -> None:
    """Puts a value into an element, at the end of a list."""
    known = members(node.type)
    wanted = known.get(name) or tuple(one for each in known.values() for one in each if one.key == name)
    if not wanted:
        raise Refused(f"{node.type} has no element {name[:80]!r}; it has {', '.join(known)}.", node)
    member = _member(wanted, value, node)
    holder = _made_holder(node)
    if member.many:
        row = Row(holder, member, node)
        row.insert(len(row), object_of(value, member))
        return
    if any(key in holder for one in known[member.name] for key in (one.key, one.sibling)):
        raise Refused(f"{name} stands there already: use replace.", node, "duplicate")
    _put(holder, member, object_of(value, member))


def object_of(value: Value, member: Member) -> Pair:
    """The JSON of a value for the element it goes to; a copy, so that the patch stays as it is."""
    if not value.type:
        return _made(value, member), None
    given = structures().primitives.keys() & {value.type}
    if bool(given) != member.primitive:
        raise Refused(f"{member.name} is a {member.type}, not a {value.type}.")
    return _copied(value.json), _copied(value.sibling)


def _made(value: Value, member: Member) -> dict[str, Any]:
    """An element from parts."""
    if member.primitive:
        raise Refused(f"{member.name} is a {member.type}: give it as value[x].")
    made: dict[str, Any] = {}
    node = Node(made, None, member.type, None, Member(member.name, "", "", member.type, many=False, primitive=False))
    for name, part in value.parts:
        added(node, name, part)
    return made


def _member(wanted: tuple[Member, ...], value: Value, node: Node) -> Member:
    """Which of the types of an element a value goes to."""
    for member in wanted:
        if value.type == member.type or len(wanted) == 1:
            return member
    names = ", ".join(member.type for member in wanted[:20])
    raise Refused(f"{wanted[0].name}[x] is no {value.type or 'element of parts'}; it may be {names}.", node)


def _made_holder(node: Node) -> Any:
    """The object that holds what is inside an element; of a primitive that has none yet it is made."""
    if not node.member.primitive:
        return node.value
    if node.sibling is None:
        holder = holder_of(node)
        node.sibling = {}
        if node.index < 0:
            holder[node.member.sibling] = node.sibling
        else:
            row = row_of(node)
            row.insert(node.index, (row.pop(node.index)[0], node.sibling))
    return node.sibling


def _put(holder: dict[str, Any], member: Member, pair: Pair) -> None:
    for key, one in zip((member.key, member.sibling), pair, strict=True):
        if one is not None and key:
            holder[key] = one


def _copied(value: Any) -> Any:
    return json.decode_exactly(json.encode(value)) if isinstance(value, (dict, list)) else value

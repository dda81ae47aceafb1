"""FHIRPath Patch on decoded resources.

Enters: a Parameters resource with operations. Leaves: a change. Paths are whole FHIRPath; where the element that they
select stands in the JSON is changed. Errors name the operation by its index and the place in the resource.
Spec: http://hl7.org/fhir/R4/fhirpatch.html
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

from ecluse.core.errors import BadRequest, EcluseError, Issue, Unprocessable
from ecluse.core.fhir.acceptance import accept
from ecluse.core.fhir.fhirpath.expression import Expression, compile
from ecluse.core.fhir.fhirpath.failures import FhirPathError
from ecluse.core.fhir.fhirpath.nodes import Node
from ecluse.core.fhir.patch.elements import Refused, Row, added, holder_of, object_of, removed, replaced, row_of
from ecluse.core.fhir.patch.values import Value, value_of

MOST_OPERATIONS = 1000
_NEEDS: dict[str, tuple[str, ...]] = {
    "add": ("name", "value"),
    "insert": ("index", "value"),
    "delete": (),
    "replace": ("value",),
    "move": ("source", "destination"),
}
_KINDS = {"type": str, "path": str, "name": str, "index": int, "source": int, "destination": int}


@dataclass(frozen=True, slots=True)
class Operation:
    """One operation. at, to: indexes in a list, of insert (at) and of move (from at to to); place: of the parameter"""

    index: int
    type: str
    path: Expression
    name: str
    value: Value | None
    at: int
    to: int


def read(data: bytes) -> Callable[[dict[str, Any]], Any]:
    """The change that a FHIRPath Patch describes.

    Raises: BadRequest (400) with an issue for each operation that cannot be read"""
    given = accept("Parameters", data).get("parameter", [])
    if len(given) > MOST_OPERATIONS:
        raise BadRequest(f"A patch has at most {MOST_OPERATIONS} operations.", expression="Parameters.parameter")
    operations: list[Operation] = []
    issues: list[Issue] = []
    for index, one in enumerate(given):
        try:
            operations.append(_operation(one, index))
        except BadRequest as error:
            issues += error.issues
    if issues:
        raise BadRequest(issues=issues)
    return lambda resource: apply(operations, resource)


def apply(operations: Sequence[Operation], resource: dict[str, Any]) -> dict[str, Any]:
    """The same resource after all operations.

    Raises: Unprocessable (422) with the index of the operation that cannot be done"""
    for one in operations:
        try:
            _DO[one.type](one, resource)
        except (Refused, FhirPathError) as refused:
            raise _unprocessable(one, refused) from None
    return resource


def _add(one: Operation, resource: dict[str, Any]) -> None:
    assert one.value is not None
    added(_single(one, resource), one.name, one.value)


def _delete(one: Operation, resource: dict[str, Any]) -> None:
    nodes = _nodes(one, resource)
    if nodes:
        removed(_only(nodes))


def _replace(one: Operation, resource: dict[str, Any]) -> None:
    assert one.value is not None
    replaced(_single(one, resource), one.value)


def _insert(one: Operation, resource: dict[str, Any]) -> None:
    assert one.value is not None
    row = _row(one, resource)
    row.check(one.at, len(row) + 1, "index")
    row.insert(one.at, object_of(one.value, row.member))


def _move(one: Operation, resource: dict[str, Any]) -> None:
    row = _row(one, resource)
    row.check(one.at, len(row), "source")
    row.check(one.to, len(row), "destination")
    row.insert(one.to, row.pop(one.at))


_DO: dict[str, Callable[[Operation, dict[str, Any]], None]] = {
    "add": _add,
    "insert": _insert,
    "delete": _delete,
    "replace": _replace,
    "move": _move,
}


def _nodes(one: Operation, resource: dict[str, Any]) -> list[Node]:
    found = one.path(resource)
    if not all(isinstance(item, Node) for item in found):
        raise Refused("the path calculates a value; it has to select an element.")
    return found


def _single(one: Operation, resource: dict[str, Any]) -> Node:
    nodes = _nodes(one, resource)
    if not nodes:
        raise Refused("the path selects nothing.", code="not-found")
    return _only(nodes)


def _only(nodes: Sequence[Node]) -> Node:
    if len(nodes) > 1:
        places = ", ".join(node.location for node in nodes[:5])
        raise Refused(f"the path selects {len(nodes)} elements; it has to select one.", nodes[0], found=places)
    return nodes[0]


def _row(one: Operation, resource: dict[str, Any]) -> Row:
    """The list that the path selects."""
    nodes = _nodes(one, resource)
    if not nodes:
        raise Refused("the path selects no list; use add for the first item.", code="not-found")
    rows = {(id(holder_of(node)), node.member.key) for node in nodes}
    if len(rows) > 1:
        raise Refused("the path selects items of several lists; it has to select one list.", nodes[0])
    if not nodes[0].member.many:
        raise Refused(f"{nodes[0].location} is no list.", nodes[0])
    return row_of(nodes[0])


def _unprocessable(one: Operation, refused: Refused | FhirPathError) -> Unprocessable:
    reason = str(refused.issues[0].text if isinstance(refused, EcluseError) else refused)
    text = f"Operation {one.index} of the patch ({one.type}): {reason}"
    node = None if isinstance(refused, EcluseError) else refused.node
    found = "" if isinstance(refused, EcluseError) else refused.found
    told = f"operation[{one.index}] {one.type} {one.path.text[:200]}" + (f": {found}" if found else "")
    code = refused.code or "processing"
    return Unprocessable(issues=[Issue(text, node.location if node else one.path.text[:200], told, code)])


def _operation(one: dict[str, Any], index: int) -> Operation:
    place = f"Parameters.parameter[{index}]"
    if one["name"] != "operation":
        raise _refused("Each parameter of a patch is named operation.", f"{place}.name", one["name"])
    parts = {part["name"]: (part, f"{place}.part[{at}]") for at, part in enumerate(one.get("part", []))}
    kind = _plain(parts, "type", place)
    if kind not in _NEEDS:
        raise _refused(f"type is one of {', '.join(_NEEDS)}.", parts["type"][1], kind)
    for name in _NEEDS[kind]:
        if name not in parts:
            raise _refused(f"{kind} needs the part {name}.", place, code="required")
    path, numbers = _plain(parts, "path", place), [name for name in _NEEDS[kind] if _KINDS.get(name) is int]
    at, to = [*(_plain(parts, name, place) for name in numbers), 0, 0][:2]
    return Operation(
        index=index,
        type=kind,
        path=_compiled(path, parts["path"][1]),
        name=_plain(parts, "name", place) if kind == "add" else "",
        value=value_of(*parts["value"]) if "value" in _NEEDS[kind] else None,
        at=at,
        to=to,
    )


def _plain(parts: dict[str, tuple[dict[str, Any], str]], name: str, place: str) -> Any:
    """The text or number of a part."""
    if name not in parts:
        raise _refused(f"An operation needs the part {name}.", place, code="required")
    part, where = parts[name]
    value = next((value for key, value in part.items() if key.startswith("value")), None)
    wanted = _KINDS[name]
    if type(value) is not wanted:
        raise _refused(f"{name}: give {'valueInteger' if wanted is int else 'valueString'}.", where, value)
    return value


def _compiled(path: str, place: str) -> Expression:
    try:
        return compile(path)
    except FhirPathError as error:
        raise _refused(f"path: {error.issues[0].text}", place, path) from None


def _refused(text: str, expression: str, found: Any = None, code: str = "value") -> BadRequest:
    return BadRequest(issues=[Issue(text, expression, f"found {str(found)[:80]!r}" if found is not None else "", code)])

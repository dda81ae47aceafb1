"""JSON Patch on decoded resources, in which numbers are lexemes.

Enters: a JSON Patch document. Leaves: a change. Errors name the operation by its index and the place in the resource as
FHIRPath. Values are equal as JSON has it: 1.0 and 1.00 are, true and 1 are not.
Spec: https://www.rfc-editor.org/rfc/rfc6902, https://www.rfc-editor.org/rfc/rfc6901
"""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import msgspec
from msgspec import UNSET

from ecluse.core.errors import BadRequest, Issue, Unprocessable
from ecluse.core.fhir import json
from ecluse.core.fhir.acceptance import decoded, is_shallow, refuse
from ecluse.core.fhir.scan import step

Pointer = tuple[str, ...]

MOST_OPERATIONS = 10_000
MOST_COPIED_BYTES = 8 << 20
"""What all `copy` operations of a patch may copy: a few dozen could double a resource without end."""

_INDEX = re.compile(r"0|[1-9][0-9]{0,8}")
_ESCAPE = re.compile(r"~(?![01])")
_NEEDS = {
    "add": ("path", "value"),
    "remove": ("path",),
    "replace": ("path", "value"),
    "move": ("from", "path"),
    "copy": ("from", "path"),
    "test": ("path", "value"),
}


@dataclass(frozen=True, slots=True)
class Operation:
    """One operation. source: the pointer `from`"""

    index: int
    op: str
    path: Pointer
    source: Pointer
    value: Any


class _Refused(Exception):
    """Why an operation cannot be done, and where."""

    def __init__(self, text: str, pointer: Pointer, code: str = "processing") -> None:
        super().__init__(text)
        self.pointer = pointer
        self.code = code


def read(data: bytes) -> Callable[[dict[str, Any]], Any]:
    """The change that a JSON Patch document describes.

    Raises: BadRequest (400) with an issue for each operation that cannot be read"""
    document, encoded = decoded(data, "patch")
    if not is_shallow(document, encoded):
        refuse(data, "patch")
    if not isinstance(document, list):
        raise BadRequest("A JSON Patch is an array of operations.", expression="patch")
    if len(document) > MOST_OPERATIONS:
        raise BadRequest(f"A patch has at most {MOST_OPERATIONS} operations.", expression="patch")
    issues = [issue for index, one in enumerate(document) for issue in _problems(one, index)]
    if issues:
        raise BadRequest(issues=issues)
    operations = [_operation(one, index) for index, one in enumerate(document)]
    return lambda resource: apply(operations, resource)


def apply(operations: Sequence[Operation], document: Any) -> Any:
    """The document after all operations; the one that is given may be altered.

    Raises: Unprocessable (422) with the index of the operation that cannot be done, or whose test fails"""
    work = _Work(document)
    for one in operations:
        try:
            work.run(one)
        except _Refused as refused:
            raise _unprocessable(one, refused, document) from None
    return work.document


class _Work:
    """A document while it is patched."""

    def __init__(self, document: Any) -> None:
        self.document = document
        self.copied = 0

    def run(self, one: Operation) -> None:
        match one.op:
            case "add":
                self.add(one.path, self.copy(one.value))
            case "remove":
                self.remove(one.path)
            case "replace":
                self.get(one.path)
                self.put(one.path, self.copy(one.value))
            case "move":
                if one.path[: len(one.source)] == one.source and one.path != one.source:
                    raise _Refused("nothing can be moved into itself.", one.path)
                self.add(one.path, self.remove(one.source))
            case "copy":
                self.add(one.path, self.copy(self.get(one.source)))
            case "test":
                if not equal(self.get(one.path), one.value):
                    raise _Refused("the value is another one; read the resource again.", one.path, "conflict")

    def copy(self, value: Any) -> Any:
        if not isinstance(value, (dict, list)):
            return value
        try:
            text = json.encode(value)
        except RecursionError:
            raise _Refused("the value is too deep.", ()) from None
        self.copied += len(text)
        if self.copied > MOST_COPIED_BYTES:
            raise _Refused(f"a patch copies at most {MOST_COPIED_BYTES >> 20} MiB.", ())
        return json.decode_exactly(text)

    def get(self, path: Pointer) -> Any:
        value = self.document
        for depth, name in enumerate(path):
            value = _child(value, name, path[: depth + 1])
        return value

    def add(self, path: Pointer, value: Any) -> None:
        holder = self.get(path[:-1]) if path else None
        if isinstance(holder, list):
            at = len(holder) if path[-1] == "-" else _index(path[-1], path)
            if at > len(holder):
                raise _Refused(f"the array has {len(holder)} items; add at {len(holder)} at most.", path)
            holder.insert(at, value)
        else:
            self.put(path, value)

    def put(self, path: Pointer, value: Any) -> None:
        """Writes over what stands there, or a new member."""
        if not path:
            self.document = value
            return
        holder = self.get(path[:-1])
        if isinstance(holder, dict):
            holder[path[-1]] = value
        elif isinstance(holder, list):
            holder[_index(path[-1], path)] = value
        else:
            raise _Refused("a plain value holds nothing.", path)

    def remove(self, path: Pointer) -> Any:
        if not path:
            raise _Refused("the whole resource cannot be removed: DELETE it.", path)
        value, holder = self.get(path), self.get(path[:-1])
        del holder[path[-1] if isinstance(holder, dict) else int(path[-1])]
        return value


def _unprocessable(one: Operation, refused: _Refused, document: Any) -> Unprocessable:
    text = f"Operation {one.index} of the patch ({one.op}): {refused}"
    found = f"operation[{one.index}] {one.op} {_text(one.path)}"
    return Unprocessable(issues=[Issue(text, place(document, refused.pointer), found, refused.code)])


def equal(left: Any, right: Any) -> bool:
    """Whether two decoded values are the same JSON.

    Spec: https://www.rfc-editor.org/rfc/rfc6902#section-4.6"""
    if isinstance(left, dict) and isinstance(right, dict):
        return left.keys() == right.keys() and all(equal(value, right[name]) for name, value in left.items())
    if isinstance(left, list) and isinstance(right, list):
        return len(left) == len(right) and all(map(equal, left, right))
    if _is_number(left) and _is_number(right):
        return json.number(left) == json.number(right)
    return type(left) is type(right) and bool(left == right)


def place(document: Any, path: Pointer) -> str:
    """A pointer as FHIRPath: `/name/0/given` of a Patient is `Patient.name[0].given`."""
    root = document.get("resourceType") if isinstance(document, dict) else None
    found = root if isinstance(root, str) else ""
    for name in path:
        found += f"[{name}]" if _INDEX.fullmatch(name) else f".{step(name)}"
    return found.removeprefix(".")


def _child(value: Any, name: str, path: Pointer) -> Any:
    if isinstance(value, dict):
        if name not in value:
            raise _Refused(f"{_text(path)} does not exist.", path, "not-found")
        return value[name]
    if not isinstance(value, list):
        raise _Refused(f"{_text(path)} does not exist: a plain value holds nothing.", path, "not-found")
    at = _index(name, path)
    if at >= len(value):
        raise _Refused(f"{_text(path)} does not exist: the array has {len(value)} items.", path, "not-found")
    return value[at]


def _index(name: str, path: Pointer) -> int:
    if not _INDEX.fullmatch(name):
        raise _Refused(f"{_text(path)} stands in an array: write the index of an item, from 0.", path)
    return int(name)


def _is_number(value: Any) -> bool:
    return isinstance(value, (int, msgspec.Raw)) and not isinstance(value, bool)


def _problems(one: Any, index: int) -> list[Issue]:
    """What is wrong with an operation itself."""
    where = f"patch[{index}]"
    if not isinstance(one, dict):
        return [Issue('An operation is an object: {"op": …, "path": …}.', where, code="structure")]
    op = one.get("op")
    if not isinstance(op, str) or op not in _NEEDS:
        return [Issue(f"op is one of {', '.join(_NEEDS)}.", f"{where}.op", f"found {str(op)[:80]!r}", "value")]
    issues = [
        Issue(f"{op} needs {name}.", f"{where}.{name}", code="required") for name in _NEEDS[op] if name not in one
    ]
    for name in ("path", "from"):
        if name in _NEEDS[op] and name in one and not _is_pointer(one[name]):
            text = "Write a JSON pointer, such as /name/0/family; ~0 stands for ~, ~1 for /."
            issues.append(Issue(text, f"{where}.{name}", f"found {str(one[name])[:80]!r}", "value"))
    return issues


def _is_pointer(text: Any) -> bool:
    return isinstance(text, str) and (not text or text[0] == "/") and not _ESCAPE.search(text)


def _operation(one: dict[str, Any], index: int) -> Operation:
    """An operation without problems; members that it does not need are ignored, whatever they are."""
    source = one["from"] if "from" in _NEEDS[one["op"]] else ""
    return Operation(index, one["op"], _pointer(one["path"]), _pointer(source), one.get("value", UNSET))


def _pointer(text: str) -> Pointer:
    return tuple(name.replace("~1", "/").replace("~0", "~") for name in text.split("/")[1:])


def _text(path: Pointer) -> str:
    return "".join("/" + name.replace("~", "~0").replace("/", "~1") for name in path)[:200] or '""'

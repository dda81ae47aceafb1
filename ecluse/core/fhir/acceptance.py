"""What is a FHIR R4 resource and what is not: every body that enters passes here.

Enters: JSON bytes. Leaves: the decoded resource, or a BadRequest that lists every problem with its place and its fix.
The steps: 1 decode, 2 the compiled struct (structs.py), 3 what only the bytes show; whatever is refused or unsure
there, 4 the walk (explain.py) decides. Nearly all resources end after 3.
Accepted means: structure, cardinality and formats of values. Invariants, bindings and profiles are for $validate.
Spec: http://hl7.org/fhir/R4/json.html, http://hl7.org/fhir/R4/validation.html
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import Any, NoReturn

import msgspec

from ecluse.core.errors import BadRequest, Issue
from ecluse.core.fhir import json, structs
from ecluse.core.fhir.definitions.structures import structures
from ecluse.core.fhir.explain import problems, too_deep
from ecluse.core.fhir.scan import MOST_DEPTH, scan

REFUSED = (msgspec.DecodeError, RecursionError, UnicodeDecodeError)
"""What msgspec raises for text that is not JSON."""

_DEEP = b"\n" + b" " * MOST_DEPTH
_ONLY_ID = re.compile(rb'\{"id":"(?:[^"\\]++|\\.)*+"\}')


def accept(resource_type: str | None, data: bytes | msgspec.Raw, expression: str | None = None) -> dict[str, Any]:
    """The decoded resource of a body.

    resource_type: what the address asks for, None for any; data: UTF-8 JSON; expression: where the resource stands,
    "Bundle.entry[3].resource"
    Raises: BadRequest (400) with all problems
    Spec: http://hl7.org/fhir/R4/json.html"""
    return accept_encoded(resource_type, data, expression)[0]


def accept_encoded(
    resource_type: str | None, data: bytes | msgspec.Raw, expression: str | None = None
) -> tuple[dict[str, Any], bytes]:
    """The decoded resource of a body, and the same resource encoded without white space.

    As `accept`; a resource that was changed in memory is encoded first and passes as any other."""
    value, encoded = decoded(data, expression or resource_type or "")
    if not (_passes(resource_type, value, encoded) and is_plain(encoded) and is_shallow(value, encoded)):
        _explain(resource_type, value, encoded, expression)
    return value, encoded


def decoded(data: bytes | msgspec.Raw, root: str) -> tuple[Any, bytes]:
    """The value of JSON text without duplicate names, and the same encoded without white space.

    Raises: BadRequest (400) with the places"""
    try:
        value = json.decode_exactly(data)
        encoded = json.encode(value)
    except REFUSED as error:
        refuse(bytes(data), root, error)
    if strings(data) != strings(encoded):
        refuse(bytes(data), root)
    return value, encoded


def strings(data: bytes | msgspec.Raw) -> int:
    """How many quotation marks enclose strings. Each duplicate name that decoding dropped took some with it."""
    data = bytes(data)
    if b"\\" not in data:
        return data.count(b'"')
    data = data.replace(rb"\\", b"")  # of a run of backslashes one at most is left, and that one escapes what follows
    return data.count(b'"') - data.count(rb"\"")


def is_plain(encoded: bytes) -> bool:
    """Whether JSON without white space has no empty objects, lone ids and control characters; False when unsure."""
    if b"{}" in encoded or (b'{"id":' in encoded and _ONLY_ID.search(encoded)):
        return False
    return b"\\" not in encoded or not (b"\\u" in encoded or b"\\b" in encoded or b"\\f" in encoded)


def is_shallow(value: Any, encoded: bytes) -> bool:
    """Whether objects and arrays stand inside each other MOST_DEPTH times at most. Of many brackets the lines of
    indented text tell it: no text of JSON holds a line's end."""
    if encoded.count(b"{") + encoded.count(b"[") <= MOST_DEPTH:
        return True
    return _DEEP not in msgspec.json.format(encoded, indent=1) or not too_deep(value, MOST_DEPTH)


def refuse(data: bytes, root: str, error: Exception | None = None) -> NoReturn:
    """Raises: BadRequest (400) with the places of what is malformed or stands twice."""
    issues: Sequence[Issue] = scan(data, root) or [Issue(f"The body is not JSON: {error}.", root, code="structure")]
    raise BadRequest(issues=issues)


def _passes(resource_type: str | None, value: Any, encoded: bytes) -> bool:
    name = value.get("resourceType") if type(value) is dict else None
    if (resource_type and name != resource_type) or type(name) is not str or name not in structures().resources:
        return False
    try:
        structs.check(name)(encoded)
    except (*REFUSED, ValueError):
        return False
    return True


def _explain(resource_type: str | None, value: Any, encoded: bytes, expression: str | None) -> None:
    """Returns when the walk accepts what the quick way did not."""
    if too_deep(value, MOST_DEPTH):
        refuse(encoded, expression or resource_type or "")
    if issues := problems(resource_type, value, expression):
        raise BadRequest(issues=issues)

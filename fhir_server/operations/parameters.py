"""The input of an operation, whichever way it came.

Enters: the query of a GET, or the Parameters resource of a POST (or one resource alone, for operations that take it).
Leaves: `Parameters`, which hands out values by name; what cannot be read is refused with its place. Resources are
left as the bytes that came: the operation accepts, or judges, them itself.
Spec: http://hl7.org/fhir/R4/operations.html#request
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Any, NamedTuple
from urllib.parse import parse_qsl

import msgspec

from ecluse.core.errors import BadRequest, Issue, Unprocessable
from ecluse.core.fhir import dates, json
from ecluse.core.fhir.acceptance import REFUSED, accept, decoded
from ecluse.core.fhir.bundle import without
from fhir_server.http import negotiation
from fhir_server.http.query import READ, choices_refused, nearest
from fhir_server.http.request import Request
from fhir_server.search.parse import CONTROL_SIGN


class Given(NamedTuple):
    """One parameter. value: the text of a primitive, the dict of another type, or None; expression: its place."""

    name: str
    value: str | dict[str, Any] | None = None
    resource: msgspec.Raw | None = None
    part: Sequence[dict[str, Any]] = ()
    expression: str = ""


class _Peek(msgspec.Struct):
    resourceType: str = ""


class _Loose(msgspec.Struct):
    """Parameters of which only the places of the resources are looked at."""

    parameter: list[dict[str, msgspec.Raw]] = []


_peek = msgspec.json.Decoder(_Peek)
_loose = msgspec.json.Decoder(_Loose)


@dataclass(frozen=True, slots=True)
class Parameters:
    """What an operation was given, in its order; what of it is refused, for an operation that tells so itself."""

    given: tuple[Given, ...] = ()
    refused: tuple[Issue, ...] = ()

    def all(self, name: str) -> list[Given]:
        """Every parameter of this name."""
        return [one for one in self.given if one.name == name]

    def one(self, name: str) -> Given | None:
        """The parameter of this name.

        Raises: BadRequest (400) when it stands twice"""
        found = self.all(name)
        if len(found) > 1:
            raise _refused(found[1], f"{name}: give it once.", "invalid")
        return found[0] if found else None

    def texts(self, name: str) -> list[str]:
        """The texts of every parameter of this name.

        Raises: BadRequest (400) when one is no primitive"""
        return [_text(one) for one in self.all(name)]

    def text(self, name: str) -> str | None:
        """The text of a parameter, None without it.

        Raises: BadRequest (400) when it stands twice or is no primitive"""
        one = self.one(name)
        return None if one is None else _text(one)

    def whole(self, name: str, least: int = 0, most: int = 2**31 - 1) -> int | None:
        """A whole number; one above the most counts as the most.

        Raises: BadRequest (400) when it is none"""
        one = self.one(name)
        if one is None:
            return None
        text = _text(one)
        if not (text.isascii() and text.isdigit()) or int(text[:10]) < least:
            raise _refused(one, f"{name}: write a whole number, at least {least}.", "value", text)
        return min(int(text[:10]), most)

    def boolean(self, name: str, default: bool = False) -> bool:
        """True or false.

        Raises: BadRequest (400) when it is neither"""
        one = self.one(name)
        if one is None:
            return default
        text = _text(one)
        if text not in ("true", "false"):
            raise _refused(one, f"{name}: write true or false.", "value", text)
        return text == "true"

    def interval(self, name: str) -> tuple[datetime, datetime] | None:
        """The half-open interval of a date of any precision.

        Raises: BadRequest (400) when it is none"""
        one = self.one(name)
        if one is None:
            return None
        text = _text(one).replace(" ", "+")
        try:
            return dates.bounds(text)
        except Unprocessable:
            raise _refused(one, f"{name}: write a date like 2018-05 or 2018-05-03T10:00:00Z.", "value", text) from None

    def structure(self, name: str) -> dict[str, Any] | None:
        """A value of a type that is no primitive: Coding, Reference, Identifier …

        Raises: BadRequest (400) when it stands twice or came as text"""
        one = self.one(name)
        if one is None:
            return None
        if not isinstance(one.value, dict):
            raise _refused(one, f"{name}: POST it in a Parameters resource, as a data type.", "value")
        return one.value


Form = Callable[[Parameters, str], object]
"""Reads the values of one name. Raises: BadRequest (400) when they cannot be read"""


class Taken(NamedTuple):
    """What an operation takes. names: None for any; body: the one that a resource other than Parameters is, or "";
    forms: of values, by name; judged: the operation tells itself what is refused here, with all else that is wrong."""

    names: Sequence[str] | None
    body: str = ""
    forms: Mapping[str, Form] = {}
    judged: bool = False


def read(request: Request, taken: Taken) -> Parameters:
    """The parameters of a request.

    Raises: BadRequest (400) with all that cannot be read or is not taken, UnsupportedMedia (415)
    """
    names = taken.names
    if "%00" in request.query:
        raise BadRequest("A parameter takes no control characters.")
    asked = parse_qsl(request.query, keep_blank_values=True)
    controls = [pair for pair in asked if pair[0] in READ and pair[0] not in (names or ())]
    found = [Given(name, value) for name, value in asked if (name, value) not in controls]
    if any(CONTROL_SIGN.search(f"{one.name}{one.value}") for one in found):
        raise BadRequest("A parameter takes no control characters.")
    if request.method == "POST" and request.body:
        negotiation.check_content_type(request.headers)
        found += _posted(request.body, taken.body)
    issues = choices_refused(controls)
    issues += () if names is None else [_unknown(one, names) for one in found if one.name not in names]
    parameters = Parameters(tuple(found))
    for name, form in taken.forms.items():
        try:
            form(parameters, name)
        except BadRequest as error:
            issues += error.issues
    if issues and not taken.judged:
        raise BadRequest(issues=issues)
    return replace(parameters, refused=tuple(issues))


def _posted(data: bytes, body: str) -> list[Given]:
    """The parameters of a body; the resources in them are left unread."""
    if body and _type(data) != "Parameters":
        return [Given(body, resource=msgspec.Raw(data))]
    try:
        loose = _loose.decode(data).parameter
    except REFUSED:
        loose = []
    return _accepted(data, [one.get("resource") for one in loose])


def _type(data: bytes) -> str:
    try:
        return _peek.decode(data).resourceType
    except REFUSED:
        return ""


def _accepted(data: bytes, resources: Sequence[msgspec.Raw | None]) -> list[Given]:
    value, _ = decoded(without(data, resources), "Parameters")
    for one, resource in zip(value["parameter"] if resources else (), resources, strict=True):
        if resource is not None:
            del one["resource"]
    listed = accept("Parameters", json.encode(value)).get("parameter", [])
    return [_given(one, raw, index) for index, (one, raw) in enumerate(zip(listed, resources, strict=True))]


def _given(one: dict[str, Any], resource: msgspec.Raw | None, index: int) -> Given:
    value = next((member for name, member in one.items() if name.startswith("value")), None)
    place = f"Parameters.parameter[{index}]"
    return Given(one["name"], _plain(value), resource, one.get("part", ()), place)


def _plain(value: Any) -> str | dict[str, Any] | None:
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, msgspec.Raw):
        return bytes(value).decode()
    return value if value is None or isinstance(value, dict) else str(value)


def _text(one: Given) -> str:
    if not isinstance(one.value, str):
        raise _refused(one, f"{one.name}: give a plain value, like valueString.", "value")
    return one.value


def _unknown(one: Given, names: Sequence[str]) -> Issue:
    offered = [name for name in names if name != "_cursor"]  # stands in links only
    taken = f"it takes {', '.join(nearest(one.name, offered))}" if offered else "it takes none"
    return Issue(f"This operation has no parameter {one.name[:80]}; {taken}.", one.expression, code="not-supported")


def _refused(one: Given, text: str, code: str, found: str = "") -> BadRequest:
    return BadRequest(issues=[Issue(text, one.expression, f"found {found[:80]!r}" if found else "", code)])

"""FHIR XML as FHIR JSON.

Enters: the bytes of a resource in XML. Leaves: the same resource in JSON, not yet accepted: whoever reads it passes it
to `accept`. A number keeps its digits, a narrative each of its signs; comments and processing instructions are left
out. What only XML can have wrong is a BadRequest that names each place and line.
Spec: http://hl7.org/fhir/R4/xml.html
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from functools import cache
from typing import Any, NamedTuple

import msgspec

from ecluse.core.errors import BadRequest, Issue
from ecluse.core.fhir import json
from ecluse.core.fhir.definitions.structures import members, structures
from ecluse.core.fhir.explain import nearest_type, unknown_element
from ecluse.core.fhir.primitives import EXPECTED, INTEGERS
from ecluse.core.fhir.scan import MOST_DEPTH, MOST_ISSUES, step
from ecluse.core.fhir.xml.document import Document, Malformed
from ecluse.core.fhir.xml.writing import NAMESPACE

_SCHEMA = "http://www.w3.org/2001/XMLSchema-instance"
_NUMBER = re.compile(r"-?(?:0|[1-9][0-9]*)(?:\.[0-9]+)?(?:[eE][+-]?[0-9]+)?")
_NUMBERS = {"decimal", *INTEGERS}
_BOOLEANS = {"true": True, "false": False}


def to_json(data: bytes) -> bytes:
    """The same resource in JSON.

    Raises: BadRequest (400) with all that is wrong as XML
    """
    return json.encode(_Reader(data).read())


def judged(data: bytes) -> tuple[bytes, tuple[Issue, ...]]:
    """The same resource in JSON, and a warning for each element that stands too late; no JSON, and all that is wrong as
    XML, when it cannot be read."""
    reader = _Reader(data)
    reader.late = []
    try:
        return json.encode(reader.read()), tuple(reader.late)
    except BadRequest as error:
        return b"", tuple(error.coded)


def lines(data: bytes) -> dict[str, int]:
    """Expression of each element → the line on which it begins. data: what `to_json` has read"""
    reader = _Reader(data)
    reader.lines = {}
    reader.read()
    return reader.lines


class _Rule(NamedTuple):
    """What an element of this name is where it stands. step: its part of the expression; kind: the type of what stands
    inside, "" when that is passed over; primitive: its own type when it is one; sibling: the JSON name of the object
    with its id and extensions; position: its place in the schema."""

    name: str
    step: str = ""
    kind: str = ""
    primitive: str = ""
    many: bool = False
    sibling: str = ""
    position: int = 0


@dataclass(slots=True)
class _Frame:
    """An open element. index: its place among those of its name, when it repeats; text: the value of a primitive;
    siblings: the ids and extensions of its repeating primitives; last: the rule of the last element of the schema that
    it has so far, kept only where the order is judged."""

    rule: _Rule
    value: dict[str, Any]
    index: int = 0
    text: str | None = None
    siblings: dict[str, list[Any]] | None = None
    last: _Rule | None = None

    @property
    def step(self) -> str:
        """Its part of the expression."""
        return f"{self.rule.step}[{self.index}]" if self.rule.many else self.rule.step


class _Full(Exception):
    """There are as many issues as anyone reads."""


class _Reader:
    def __init__(self, data: bytes) -> None:
        self.document = Document(data, self)
        self.issues: list[Issue] = []
        self.stack = [_Frame(_Rule("", kind="Resource"), {})]
        self.lines: dict[str, int] | None = None
        self.late: list[Issue] | None = None

    def read(self) -> dict[str, Any]:
        """The resource. Raises: BadRequest (400)"""
        try:
            self.document.read()
        except Malformed as error:
            self.issues.append(Issue(str(error), self.place(), self.document.at, "structure"))
        except _Full:
            text = f"Only the first {MOST_ISSUES} problems are listed."
            self.issues.append(Issue.information(text))
        if self.issues:
            raise BadRequest(issues=self.issues)
        found: dict[str, Any] = self.stack[0].value["resource"]
        return found

    def start(self, name: str, attributes: dict[str, str]) -> None:
        """An element of FHIR, or one that does not belong here."""
        if len(self.stack) > MOST_DEPTH:
            raise Malformed(f"Elements may stand inside each other {MOST_DEPTH} times at most.")
        parent = self.stack[-1]
        rule = _rules(parent.rule.kind).get(name)
        if rule is None:
            self.stack.append(self.without_rule(parent, name))
        else:
            self.stack.append(_Frame(rule, {}))
            self.count(parent, self.stack[-1])
        if attributes and self.stack[-1].rule.kind:
            self.attributes(self.stack[-1], attributes)
        if self.lines is not None:
            self.lines.setdefault(self.place(), self.document.line)
        if self.late is not None and rule is not None:
            self.order(parent, rule, self.late)

    def order(self, parent: _Frame, rule: _Rule, late: list[Issue]) -> None:
        """Notes an element that stands behind one it comes before in the schema."""
        if parent.last is None or parent.last.position <= rule.position:
            parent.last = rule
        elif len(late) < MOST_ISSUES:
            text = (
                f"R4's schema has {rule.name} before {parent.last.name}: put it there, for readers that insist on it."
            )
            late.append(Issue(text, self.place().removeprefix("."), self.document.at, "structure", "warning"))

    def count(self, parent: _Frame, frame: _Frame) -> None:
        rule = frame.rule
        if rule.many:
            frame.index = len(parent.value.get(rule.name, ()))
        elif rule.name in parent.value or rule.sibling in parent.value:
            self.add(f"{rule.name} stands twice; keep one.")

    def without_rule(self, parent: _Frame, name: str) -> _Frame:
        """A resource, or what does not belong here, which is told and passed over."""
        namespace, _, local = name.rpartition(" ")
        if not parent.rule.kind:
            pass
        elif namespace != NAMESPACE or local == "div":
            self.foreign(namespace, local)
        elif parent.rule.kind != "Resource":
            self.unknown(parent, local)
        elif local not in structures().resources:
            self.add(f"No FHIR R4 resource type has this name.{nearest_type(local)}", found=local, code="value")
        else:
            if parent.value:
                self.add("One resource stands here; put the next one into an element of its own.", found=local)
            return _Frame(_Rule(local, "" if parent.rule.name else local, local), {"resourceType": local})
        return _Frame(_Rule(local), {})

    def foreign(self, namespace: str, local: str) -> None:
        text = f'This element belongs to FHIR\'s namespace: write xmlns="{NAMESPACE}" on the outermost element.'
        if local == "div":
            text = 'A narrative is XHTML: write <div xmlns="http://www.w3.org/1999/xhtml">.'
        self.add(text, f".{step(local)}" if self.stack[1:] else local, f"{local} in {namespace or 'no namespace'}")

    def unknown(self, parent: _Frame, local: str) -> None:
        if parent.rule.primitive:
            text = "A primitive element holds its value in the attribute value, and only extensions inside."
        elif local in members(parent.rule.kind):
            text = f"In XML, {local} is an attribute of its element here."
        else:
            text = unknown_element(parent.rule.kind, local)
        self.add(text, f".{step(local)}")

    def attributes(self, frame: _Frame, attributes: dict[str, str]) -> None:
        for name, text in attributes.items():
            if name == "value" and frame.rule.primitive:
                frame.text = text
            elif name in _attributes(frame.rule.kind):
                frame.value[name] = text
            elif not name.startswith(_SCHEMA):
                local = name.rpartition(" ")[2]
                wanted = "the attribute value is for primitives" if name == "value" else "FHIR writes it as an element"
                self.add(f"{frame.rule.name} takes no attribute {local}: {wanted}, or leave it out.")

    def end(self) -> None:
        """Puts what has ended into what it stands in."""
        frame, parent = self.stack[-1], self.stack[-2]
        rule, value = frame.rule, frame.value
        if frame.siblings:
            _close(frame, frame.siblings)
        if rule.primitive:
            self.put_primitive(parent, frame, self.primitive(frame))
        elif rule.kind == "Resource":
            if not value:
                self.add(f"{rule.name} holds a resource: put it inside.", code="required")
            _put(parent, rule, value.get("resource"))
        elif "resourceType" in value and rule.kind in structures().resources:
            parent.value["resource"] = value
        elif rule.kind:
            _put(parent, rule, value)
        self.stack.pop()

    def put_primitive(self, parent: _Frame, frame: _Frame, value: Any) -> None:
        """The value, and beside it the object of its id and extensions."""
        rule, sibling = frame.rule, frame.value or None
        if value is None and sibling is None:
            self.add("A primitive element needs the attribute value, or an extension.", code="required")
        if rule.many:
            _put(parent, rule, value)
            parent.siblings = parent.siblings or {}
            parent.siblings.setdefault(rule.name, []).append(sibling)
            return
        if value is not None:
            parent.value[rule.name] = value
        if sibling is not None:
            parent.value[rule.sibling] = sibling

    def primitive(self, frame: _Frame) -> Any:
        """The value as JSON has it."""
        kind, text = frame.rule.primitive, frame.text
        if text is None or (kind != "boolean" and kind not in _NUMBERS):
            return text
        value = _BOOLEANS.get(text) if kind == "boolean" else _number(text)
        if value is None:
            wanted = EXPECTED[kind].replace(", without quotes", "").replace(" without quotes", "")
            self.add(f"{kind} expected: {wanted}.", found=text, code="value")
        return text if value is None else value

    def characters(self, text: str) -> None:
        """Text outside of a narrative, which has to be white space."""
        if self.stack[-1].rule.kind and not text.isspace():
            self.add(
                "No text stands between elements: a value is the attribute value of its element.", found=text.strip()
            )

    def narrative(self, div: str) -> None:
        """A <div>, which belongs into a Narrative."""
        parent = self.stack[-1]
        if parent.rule.kind == "Narrative" and "div" not in parent.value:
            parent.value["div"] = div
        elif parent.rule.kind:
            self.add("A <div> stands once, inside text.", ".div")

    def add(self, text: str, step: str = "", found: str = "", code: str = "structure") -> None:
        if len(self.issues) == MOST_ISSUES:
            raise _Full
        told = f", found {json.encode(found[:80]).decode()}" if found else ""
        self.issues.append(Issue(text, (self.place() + step).removeprefix("."), self.document.at + told, code))

    def place(self) -> str:
        return "".join(frame.step for frame in self.stack)


@cache
def _rules(kind: str) -> dict[str, _Rule]:
    """What may stand inside a type, by the names that the parser gives; nothing that XML writes as an attribute."""
    if kind not in structures().types:
        return {}
    own, primitives = _attributes(kind), structures().primitives
    found = {}
    for position, (name, (element, of_kind)) in enumerate(members(kind).items()):
        if name not in own and of_kind != "xhtml":
            inside, primitive = ("Element", of_kind) if of_kind in primitives else (of_kind, "")
            rule = _Rule(name, f".{element.name}", inside, primitive, element.many, f"_{name}", position)
            found[f"{NAMESPACE} {name}"] = rule
    return found


@cache
def _attributes(kind: str) -> frozenset[str]:
    """The members of a type that XML writes as attributes: the id of what is no resource, the url of an extension."""
    if kind in structures().resources or kind not in structures().types:
        return frozenset()
    return frozenset(
        name for name, (element, of_kind) in members(kind).items() if element.attribute and of_kind != "xhtml"
    )


def _put(parent: _Frame, rule: _Rule, value: Any) -> None:
    if rule.many:
        parent.value.setdefault(rule.name, []).append(value)
    else:
        parent.value[rule.name] = value


def _close(frame: _Frame, siblings: dict[str, list[Any]]) -> None:
    """Repeating primitives: `_name` only where one has an id or extension, `name` only where one has a value."""
    for name, several in siblings.items():
        if any(several):
            frame.value[f"_{name}"] = several
        if all(one is None for one in frame.value[name]):
            del frame.value[name]


def _number(text: str) -> msgspec.Raw | None:
    return msgspec.Raw(text) if _NUMBER.fullmatch(text) and json.is_bounded(text) else None

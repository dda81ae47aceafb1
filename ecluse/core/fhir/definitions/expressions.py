"""The FHIRPath of search parameters, as element paths.

Enters: the expression of a SearchParameter. Leaves: one path for each branch of its union: a list of steps from the
resource down. The expressions of R4 need little of FHIRPath: members, unions, `as`, `ofType`, `where` on one member, on
an extension or on the type of a reference's target, `extension(url)`, an index, and "is there and is not false".
Anything else is refused, never guessed.
Spec: http://hl7.org/fhirpath/N1, http://hl7.org/fhir/R4/searchparameter-definitions.html#SearchParameter.expression
"""

from __future__ import annotations

import re
from typing import Literal, NamedTuple

from ecluse.core.fhir.definitions.structures import structures

Op = Literal["member", "type", "where", "extension", "has_extension", "target", "item", "true"]


class Step(NamedTuple):
    """One step of a path; for `where`, name is the member and value what it must be, else name says it all."""

    op: Op
    name: str
    value: str = ""


Path = tuple[Step, ...]
"""Steps from the resource down; the first one names the resource type."""


class End(NamedTuple):
    """What a path may end in: a data type, the types that it may point to (empty: any), and whether a resource may have
    several."""

    kind: str
    targets: tuple[str, ...]
    many: bool


class Unsupported(ValueError):
    """The expression needs more of FHIRPath than this module reads."""


_ABSTRACT = {"Resource": "Basic", "DomainResource": "Basic"}
"""A concrete type that has the elements of each abstract one; the definitions hold concrete types only."""

_MADE_FROM = {
    **dict.fromkeys(("canonical", "url", "oid", "uuid"), "uri"),
    **dict.fromkeys(("code", "id", "markdown"), "string"),
    **dict.fromkeys(("positiveInt", "unsignedInt"), "integer"),
    **dict.fromkeys(("Age", "Count", "Distance", "Duration"), "Quantity"),
}

_TOKEN = re.compile(r"\s*(?:('(?:[^'\\]|\\.)*')|([A-Za-z_]\w*)|(\d+)|(!=|[().|\[\]=]))")
_SYNTAX: dict[Op, str] = {
    "member": ".{0}",
    "type": ".ofType({0})",
    "where": ".where({0}='{1}')",
    "extension": ".extension('{0}')",
    "has_extension": ".where(hasExtension('{0}'))",
    "target": ".where(resolve() is {0})",
    "item": "[{0}]",
}


def parse(text: str) -> list[Path]:
    """The paths of an expression, in their order.

    Raises: Unsupported when the expression holds what this module does not read
    """
    reader = _Reader(text)
    paths = reader.union()
    if reader.peek():
        raise Unsupported(f"{text}: {reader.peek()} is not understood here")
    return paths


def rendered(path: Path) -> str:
    """The path as FHIRPath; `parse` gives the same path again."""
    text = path[0].name + "".join(
        _SYNTAX[step.op].format(step.name, step.value) for step in path[1:] if step.op != "true"
    )
    return f"{text}.exists() and {text} != false" if path[-1].op == "true" else text


def ends(path: Path) -> list[End]:
    """The data types that the path may end in, each with its reference targets.

    Raises: Unsupported when the definitions have no such element
    """
    found = [End(_ABSTRACT.get(path[0].name, path[0].name), (), False)]
    for step in path[1:]:
        found = [end for start in found for end in _after(start, step)]
        if not found:
            raise Unsupported(f"{rendered(path)}: no element is there")
    return found


def is_a(kind: str, name: str) -> bool:
    """Whether a data type is the named one, or made from it.

    Spec: http://hl7.org/fhir/R4/datatypes.html"""
    return kind == name or _MADE_FROM.get(kind) == name


def _after(start: End, step: Step) -> list[End]:
    if step.op == "member":
        elements = [element for element in structures().types.get(start.kind, ()) if element.name == step.name]
        return [End(kind, one.targets, start.many or one.many) for one in elements for kind in one.types]
    if step.op == "type":
        return [start] if is_a(start.kind, step.name) else []
    return [End("Extension", (), True)] if step.op == "extension" else [start]


class _Reader:
    """Recursive descent over the tokens of one expression."""

    def __init__(self, text: str) -> None:
        self.text = text
        self.tokens = [found.group().strip() for found in _TOKEN.finditer(text)]
        self.at = 0
        if "".join(self.tokens).replace(" ", "") != re.sub(r"\s", "", text):
            raise Unsupported(f"{text}: not all of it is understood here")

    def peek(self) -> str:
        return self.tokens[self.at] if self.at < len(self.tokens) else ""

    def take(self, wanted: str = "") -> str:
        token = self.peek()
        if not token or (wanted and token != wanted):
            raise Unsupported(f"{self.text}: expected {wanted or 'more'}, found {token or 'the end'}")
        self.at += 1
        return token

    def union(self) -> list[Path]:
        paths = self.truth()
        while self.peek() == "|":
            self.take()
            paths += self.truth()
        return paths

    def truth(self) -> list[Path]:
        """A term, or the one condition that R4 asks for: "it is there and is not false"."""
        left = self.term()
        if self.peek() != "and":
            if any(step.op == "true" for path in left for step in path):
                raise Unsupported(f"{self.text}: exists() alone is not understood here")
            return left
        self.take()
        right = self.term()
        self.take("!=")
        self.take("false")
        if [(*path, Step("true", "")) for path in right] != left:
            raise Unsupported(f"{self.text}: this condition is not understood here")
        return left

    def term(self) -> list[Path]:
        paths = self.primary()
        while self.peek() in (".", "[", "as"):
            opening = self.take()
            if opening == "[":
                step = Step("item", self.take())
                self.take("]")
            else:
                step = Step("type", _type(self.take())) if opening == "as" else self.step()
            paths = [(*path, step) for path in paths]
        return paths

    def primary(self) -> list[Path]:
        if self.peek() != "(":
            return [(Step("member", self.name()),)]
        self.take()
        paths = self.union()
        self.take(")")
        return paths

    def step(self) -> Step:
        name = self.name()
        if self.peek() != "(":
            return Step("member", name)
        self.take()
        step = self.call(name)
        self.take(")")
        return step

    def call(self, name: str) -> Step:
        if name in ("as", "ofType"):
            return Step("type", _type(self.take()))
        if name == "extension":
            return Step("extension", self.take()[1:-1])
        if name == "exists":
            return Step("true", "")
        if name == "where":
            return self.condition()
        raise Unsupported(f"{self.text}: {name}() is not understood here")

    def condition(self) -> Step:
        name = self.name()
        if name == "resolve":
            for token in ("(", ")", "is"):
                self.take(token)
            return Step("target", self.name())
        if name == "hasExtension":
            self.take("(")
            url = self.take()[1:-1]
            self.take(")")
            return Step("has_extension", url)
        self.take("=")
        return Step("where", name, self.take()[1:-1])

    def name(self) -> str:
        token = self.take()
        if not token[0].isalpha():
            raise Unsupported(f"{self.text}: expected a name, found {token}")
        return token


def _type(name: str) -> str:
    """The data type, spelt as the definitions do: R4 writes `DateTime` once for `dateTime`."""
    return name if name in structures().types or name in structures().primitives else name[0].lower() + name[1:]

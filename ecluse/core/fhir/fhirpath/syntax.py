"""FHIRPath as a tree.

Enters: the text of an expression. Leaves: its syntax tree, by precedence climbing.
Spec: http://hl7.org/fhirpath/N1/#grammar
"""

from __future__ import annotations

from decimal import Decimal
from typing import Any, NamedTuple

from ecluse.core.fhir.fhirpath import temporal
from ecluse.core.fhir.fhirpath.failures import FhirPathError
from ecluse.core.fhir.fhirpath.quantity import Quantity, calendar_unit
from ecluse.core.fhir.fhirpath.tokens import Token, tokens, unexpected

DEEPEST = 60
"""Brackets and arguments inside each other."""


class Literal(NamedTuple):
    """A constant, as a collection of one item or none."""

    items: tuple[Any, ...]


class Variable(NamedTuple):
    """`%name`, or `$this`, `$index`, `$total`."""

    name: str


class Member(NamedTuple):
    """A bare name: a child of the context, or its type."""

    name: str


class Call(NamedTuple):
    """A function with its arguments."""

    name: str
    arguments: tuple[Tree, ...]


class Chain(NamedTuple):
    """Something, then a member or function of it."""

    left: Tree
    right: Member | Call


class Item(NamedTuple):
    """`left[at]`."""

    left: Tree
    at: Tree


class Sign(NamedTuple):
    """`-operand` or `+operand`."""

    mark: str
    operand: Tree


class Binary(NamedTuple):
    """An operator between two expressions."""

    operator: str
    left: Tree
    right: Tree


class TypeTest(NamedTuple):
    """`left is Type` or `left as Type`."""

    operator: str
    left: Tree
    type: str


Tree = Literal | Variable | Member | Call | Chain | Item | Sign | Binary | TypeTest

PRECEDENCE = {
    "implies": 1,
    **dict.fromkeys(("or", "xor"), 2),
    "and": 3,
    **dict.fromkeys(("in", "contains"), 4),
    **dict.fromkeys(("=", "~", "!=", "!~"), 5),
    **dict.fromkeys(("<=", "<", ">", ">="), 6),
    "|": 7,
    **dict.fromkeys(("is", "as"), 8),
    **dict.fromkeys(("+", "-", "&"), 9),
    **dict.fromkeys(("*", "/", "div", "mod"), 10),
}
_SIGN = 11


def parse(text: str) -> Tree:
    """The tree of an expression.

    Raises: FhirPathError (400) with the place of the first thing that does not belong there"""
    reader = _Reader(text)
    tree = reader.expression(0)
    if reader.token.kind != "end":
        raise unexpected(text, reader.token.at, "an operator or the end")
    return tree


def type_name(tree: Tree) -> str:
    """The type that an argument names: `Patient`, `FHIR.Patient`, `System.String`.

    Raises: FhirPathError (400) when it names none"""
    if isinstance(tree, Member):
        return tree.name
    if isinstance(tree, Chain) and isinstance(tree.left, Member) and isinstance(tree.right, Member):
        return f"{tree.left.name}.{tree.right.name}"
    raise FhirPathError("is, as and ofType take the name of a type, such as Quantity or FHIR.Quantity.")


class _Reader:
    def __init__(self, text: str) -> None:
        self.text = text
        self.tokens = tokens(text)
        self.at = 0
        self.depth = 0

    @property
    def token(self) -> Token:
        return self.tokens[self.at]

    def take(self) -> Token:
        self.at += 1
        return self.tokens[self.at - 1]

    def is_mark(self, mark: str) -> bool:
        return self.token.kind == "mark" and self.token.text == mark

    def expect(self, mark: str) -> None:
        if not self.is_mark(mark):
            raise unexpected(self.text, self.token.at, mark)
        self.at += 1

    def expression(self, least: int) -> Tree:
        """An expression whose operators bind more than `least`."""
        self.depth += 1
        if self.depth > DEEPEST:
            raise unexpected(self.text, self.token.at, f"nothing deeper than {DEEPEST} levels")
        left = self.operand()
        while (strength := self.strength()) > least:
            operator = self.take().text
            if operator in ("is", "as"):
                left = TypeTest(operator, left, self.type_specifier())
            else:
                left = Binary(operator, left, self.expression(strength))
        self.depth -= 1
        return left

    def strength(self) -> int:
        return PRECEDENCE.get(self.token.text, 0) if self.token.kind in ("mark", "name") else 0

    def operand(self) -> Tree:
        if self.is_mark("-") or self.is_mark("+"):
            return Sign(self.take().text, self.expression(_SIGN))
        tree = self.term()
        while True:
            if self.is_mark("."):
                self.at += 1
                tree = Chain(tree, self.invocation())
            elif self.is_mark("["):
                self.at += 1
                tree = Item(tree, self.expression(0))
                self.expect("]")
            else:
                return tree

    def term(self) -> Tree:
        token = self.token
        if token.kind in ("name", "delimited"):
            if token.kind == "name" and token.text in ("true", "false"):
                self.at += 1
                return Literal((token.text == "true",))
            return self.invocation()
        self.at += 1
        if token.kind in ("variable", "special"):
            return Variable(token.text)
        if token.kind == "number":
            return Literal((self.number(token),))
        if token.kind == "string":
            return Literal((token.text,))
        if token.kind in ("date", "dateTime", "time"):
            return Literal((self.moment(token),))
        if token.kind == "mark" and token.text == "(":
            tree = self.expression(0)
            self.expect(")")
            return tree
        if token.kind == "mark" and token.text == "{":
            self.expect("}")
            return Literal(())
        raise unexpected(self.text, token.at, "a name, a literal or a bracket")

    def number(self, token: Token) -> int | Decimal | Quantity:
        """A number, with its unit when one follows."""
        following = self.token
        if following.kind == "string":
            self.at += 1
            return Quantity(Decimal(token.text), following.text)
        if following.kind == "name" and (unit := calendar_unit(following.text)):
            self.at += 1
            return Quantity(Decimal(token.text), unit)
        return Decimal(token.text) if "." in token.text else int(token.text)

    def moment(self, token: Token) -> temporal.Temporal:
        kind = {"date": "Date", "dateTime": "DateTime", "time": "Time"}[token.kind]
        made = temporal.read(token.text[1:].removeprefix("T" if kind == "Time" else "@"), kind)
        if made is None:
            raise unexpected(self.text, token.at, "a date or time of the calendar")
        return made

    def invocation(self) -> Member | Call:
        """A name, or a function with its arguments."""
        token = self.take()
        if token.kind not in ("name", "delimited"):
            raise unexpected(self.text, token.at, "a name")
        if not self.is_mark("("):
            return Member(token.text)
        self.at += 1
        arguments: list[Tree] = []
        while not self.is_mark(")"):
            if arguments:
                self.expect(",")
            arguments.append(self.expression(0))
        self.at += 1
        return Call(token.text, tuple(arguments))

    def type_specifier(self) -> str:
        names = [self.take()]
        while self.is_mark("."):
            self.at += 1
            names.append(self.take())
        if any(token.kind not in ("name", "delimited") for token in names):
            raise unexpected(self.text, names[-1].at, "the name of a type")
        return ".".join(token.text for token in names)

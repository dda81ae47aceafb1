"""`_filter`: an expression of comparisons, `and`, `or`, `not` and brackets.

Enters: its text. Leaves: one condition. What a comparison means is what the search type of its parameter makes of it
(`modifiers.COMPARED`); `and` and `or` are read from left to right, and neither binds closer.
Spec: http://hl7.org/fhir/R4/search_filter.html
"""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from dataclasses import replace

import msgspec

from ecluse.core.errors import BadRequest
from fhir_server.search.asked import Asked
from fhir_server.search.criteria import condition
from fhir_server.search.modifiers import OPERATIONS
from fhir_server.search.query import Condition, Not, all_of, any_of

DEEPEST = 20
MOST_COMPARISONS = 100
_TOKEN = re.compile(r'\s*(?:("(?:[^"\\]|\\.)*")|([()\[\]])|([^\s()\[\]"]+))')
_JOINED: dict[str, Callable[[str, Sequence[Condition]], Condition]] = {"and": all_of, "or": any_of}
_EXAMPLE = 'given eq "peter" and (birthdate ge 2014-10-10 or active eq true)'


def filtered(asked: Asked) -> Condition:
    """The condition of a filter. asked: the parameter `_filter`

    Raises: BadRequest (400), NotServed"""
    reader = _Reader(asked)
    found = reader.joined(0)
    if reader.peek():
        raise reader.wrong("and, or, or the end")
    return found


class _Reader:
    """Recursive descent over the tokens of one filter."""

    def __init__(self, asked: Asked) -> None:
        self.asked = asked
        self.tokens = [found.group().strip() for found in _TOKEN.finditer(asked.text)]
        self.at = 0
        self.comparisons = 0
        if re.sub(r"\s", "", "".join(self.tokens)) != re.sub(r"\s", "", asked.text):
            raise self.wrong("a text that ends with its quotation mark")

    def peek(self) -> str:
        return self.tokens[self.at] if self.at < len(self.tokens) else ""

    def take(self) -> str:
        token = self.peek()
        self.at += 1
        return token

    def wrong(self, expected: str) -> BadRequest:
        """The error at this place."""
        place = " ".join(self.tokens[max(self.at - 4, 0) : self.at + 1]) or self.asked.text
        found = self.peek() or "the end"
        text = f"_filter: expected {expected}, found {found[:80]}; write it like {_EXAMPLE}."
        return BadRequest(text, diagnostics=f"near {place[:200]}")

    def joined(self, depth: int) -> Condition:
        """What `and` and `or` make of what stands between them, from left to right."""
        found, last = [self._one(depth)], "and"
        while (word := self.peek()) in _JOINED:
            self.take()
            if word != last:
                found = [_JOINED[last]("_filter", found)]
            found.append(self._one(depth))
            last = word
        return _JOINED[last]("_filter", found)

    def _one(self, depth: int) -> Condition:
        if depth > DEEPEST:
            raise BadRequest(f"_filter: at most {DEEPEST} brackets inside each other.")
        if self.tokens[self.at : self.at + 2] == ["not", "("]:
            self.take()
            return Not("_filter", self._bracket(depth))
        return self._bracket(depth) if self.peek() == "(" else self._comparison()

    def _bracket(self, depth: int) -> Condition:
        self.take()
        found = self.joined(depth + 1)
        if self.peek() != ")":
            raise self.wrong(")")
        self.take()
        return found

    def _comparison(self) -> Condition:
        self.comparisons += 1
        if self.comparisons > MOST_COMPARISONS:
            raise BadRequest(f"_filter: at most {MOST_COMPARISONS} comparisons.")
        name = self.peek()
        if not name or name[0] in '"()[]':
            raise self.wrong("the name of a parameter")
        self.take()
        if self.peek() == "[":
            raise self.wrong("an operation; a filter inside a path, as in related[type eq x].target, is not served")
        operation = self.peek()
        if operation not in OPERATIONS:
            raise self.wrong(f"one of {', '.join(OPERATIONS)}")
        self.take()
        value = self._value()
        written = f"_filter={name} {operation}"
        return condition(replace(self.asked, name=name, written=written, text=value, operation=operation))

    def _value(self) -> str:
        token = self.peek()
        if not token or token[0] in "()[]":
            raise self.wrong("a value")
        if token[0] == '"':
            try:
                text = msgspec.json.decode(token.encode(), type=str)
            except msgspec.DecodeError:
                raise self.wrong("a text as JSON writes it") from None
        else:
            text = token
        self.take()
        return text.replace("\\", "\\\\")

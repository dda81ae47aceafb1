"""Finds the place of what JSON decoders only notice: malformed text, duplicate names, invalid UTF-8, depth.

Enters: bytes that were refused. Leaves: issues with place, line and column. It reads token by token, so it is slow, and
stops after `MOST_TOKENS`; nothing is accepted here.
Spec: https://www.rfc-editor.org/rfc/rfc8259
"""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from typing import Final

from ecluse.core.errors import Issue
from ecluse.core.fhir.json import LONGEST_NUMBER, encode, is_bounded

MOST_TOKENS = 500_000
"""About half a second; a place further on is not named."""

MOST_DEPTH: Final = 100
"""Objects and arrays inside each other. The deepest official file has 22; recursion becomes dangerous near 200."""

MOST_ISSUES: Final = 200
"""Further problems are not listed: nobody reads them, and finding them all would cost seconds on a hostile body."""

_SPACE = re.compile(r"[ \t\r\n]*+")
_SPACES = re.compile(r"[ \t\r\n]+")
_STRING = r'"(?:[^"\\\x00-\x1f]++|\\(?:["\\/bfnrt]|u[0-9a-fA-F]{4}))*+"'
_NUMBER = r"-?(?:0|[1-9][0-9]*+)(?:\.[0-9]++)?(?:[eE][+-]?[0-9]++)?"
_TOKEN = re.compile(rf"([{{}}\[\],:])|({_STRING})|(?:{_NUMBER}|true|false|null)(?![0-9A-Za-z.+-])")
_HIGH, _LOW = r"\\u[dD][89abAB][0-9a-fA-F]{2}", r"\\u[dD][c-fC-F][0-9a-fA-F]{2}"
_SURROGATES = re.compile(rf"{_HIGH}{_LOW}|\\\\|({_HIGH}|{_LOW})")
_ESCAPE = re.compile(r"\\(?:u([0-9a-fA-F]{4})|(.))")
_SIMPLE = {"b": "\b", "f": "\f", "n": "\n", "r": "\r", "t": "\t"}
_IDENTIFIER = re.compile(r"[A-Za-z_][A-Za-z0-9_]*")


@dataclass(slots=True)
class _Frame:
    """An open object or array: names seen, and where in it the scan is."""

    array: bool
    names: set[str] = field(default_factory=set)
    name: str = ""
    index: int = 0


class _Malformed(Exception):
    """The text is not JSON from here on."""


def scan(data: bytes, root: str = "") -> list[Issue]:
    """What is wrong with JSON text: all duplicate names up to the first thing that ends it.

    data: the refused body; root: the expression of its outermost value, "" to take its resourceType"""
    try:
        text, broken = data.decode(), ""
    except UnicodeDecodeError as error:
        text = data[: error.start].decode()
        broken = f"The body must be UTF-8: byte 0x{data[error.start]:02x} at byte {error.start} is not."
    reader = _Scan(text, root)
    try:
        reader.run()
    except _Malformed as error:
        reader.add(broken or str(error), "structure")
    return reader.issues


def step(name: str) -> str:
    """A member's name as FHIRPath writes it."""
    name = name if len(name) <= 80 else name[:80] + "…"
    return name if _IDENTIFIER.fullmatch(name) else f"`{encode(name).decode()[1:-1].replace('`', '~')}`"


class _Scan:
    def __init__(self, text: str, root: str) -> None:
        self.text, self.root, self.at = text, root, 0
        self.stack: list[_Frame] = []
        self.issues: list[Issue] = []

    def run(self) -> None:
        if self.text.startswith("\ufeff"):
            raise _Malformed("The body must not begin with a byte order mark.")
        wants = "value"
        for _ in range(MOST_TOKENS):
            wants = self.token(wants)
            if len(self.issues) == MOST_ISSUES:
                return
            if wants == "end":
                break
        else:
            raise _Malformed(f"The body is refused at a place after its first {MOST_TOKENS} tokens.")
        self.at = _end(_SPACE, self.text, self.at)
        if self.at < len(self.text):
            raise _Malformed("Nothing may follow the resource.")

    def token(self, wants: str) -> str:
        """Reads one token; returns what may come next."""
        self.at = _end(_SPACE, self.text, self.at)
        match = _TOKEN.match(self.text, self.at)
        if match is None:
            raise _Malformed(self.unreadable())
        mark, string = match.groups()
        if not mark and not string and match[0][-1] not in "el" and not is_bounded(match[0]):
            raise _Malformed(f"A number has at most {LONGEST_NUMBER} characters and an exponent from -999 to 999.")
        wants = self.mark(mark, wants) if mark else self.scalar(string, wants)
        self.at = match.end()
        return wants

    def mark(self, mark: str, wants: str) -> str:
        if mark in "{[" and wants in ("value", "item"):
            if len(self.stack) == MOST_DEPTH:
                raise _Malformed(f"Objects and arrays may stand inside each other {MOST_DEPTH} times at most.")
            self.stack.append(_Frame(mark == "["))
            return "item" if mark == "[" else "first"
        if self.stack and mark == ("]" if self.stack[-1].array else "}") and wants in ("next", "item", "first"):
            self.stack.pop()
            return "next" if self.stack else "end"
        if mark == "," and wants == "next":
            self.stack[-1].index += 1
            return "value" if self.stack[-1].array else "name"
        if mark == ":" and wants == "colon":
            return "value"
        raise _Malformed(f'"{mark}" does not belong here: {_WANTED[wants]}.')

    def scalar(self, string: str | None, wants: str) -> str:
        if string and (lone := _lone_surrogate(string)):
            raise _Malformed(f"{lone} is half of a character: write both halves, or the character itself.")
        if wants in ("value", "item"):
            if string and len(self.stack) == 1 and self.stack[0].name == "resourceType":
                self.root = self.root or string[1:-1]
            return "next" if self.stack else "end"
        if string is None or wants not in ("name", "first"):
            raise _Malformed(f"A value does not belong here: {_WANTED[wants]}.")
        self.name(_unescaped(string[1:-1]))
        return "colon"

    def name(self, name: str) -> None:
        frame = self.stack[-1]
        frame.name = name
        if name in frame.names:
            self.add(f"{step(name)} stands twice in the same object: keep one.", "structure")
        frame.names.add(name)

    def unreadable(self) -> str:
        rest = self.text[self.at : self.at + 20]
        if not rest:
            return "The body ends too early: something is cut off or not closed."
        if rest[0] == '"':
            return (
                "This text is not closed, or holds a raw control character or an unknown escape: write \\n or \\u0041."
            )
        if rest[0] == "'":
            return 'JSON has no single quotes: write "text".'
        word, *_ = _SPACES.split(rest, 1)
        return f"This is not JSON: {word!r}."

    def add(self, text: str, code: str) -> None:
        line = self.text.count("\n", 0, self.at) + 1
        column = self.at - (self.text.rfind("\n", 0, self.at) + 1) + 1
        self.issues.append(Issue(text, self.place(), f"line {line}, column {column}", code))

    def place(self) -> str:
        open_ones = [frame for frame in self.stack if frame.array or frame.name]
        steps = [f"[{frame.index}]" if frame.array else f".{step(frame.name)}" for frame in open_ones]
        return (self.root + "".join(steps)).removeprefix(".")


_WANTED = {
    "value": "a value is missing",
    "item": "a value or ] is missing",
    "first": "a name in quotes or } is missing",
    "name": "a name in quotes is missing; no comma stands after the last member",
    "colon": "a colon is missing after the name",
    "next": "a comma or the closing bracket is missing",
    "end": "the resource has ended",
}


def _end(pattern: re.Pattern[str], text: str, at: int) -> int:
    match = pattern.match(text, at)
    return match.end() if match else at


def _lone_surrogate(string: str) -> str:
    if "\\u" not in string:
        return ""
    return next((found.group(1) for found in _SURROGATES.finditer(string) if found.group(1)), "")


def _unescaped(name: str) -> str:
    if "\\" not in name:
        return name
    return _ESCAPE.sub(lambda found: chr(int(found[1], 16)) if found[1] else _SIMPLE.get(found[2], found[2]), name)

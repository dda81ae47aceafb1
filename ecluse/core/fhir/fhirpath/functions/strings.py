"""Functions of strings.

Spec: http://hl7.org/fhirpath/N1/#string-manipulation
"""

from __future__ import annotations

import base64
import binascii
import html
import json
import re
from collections.abc import Callable
from functools import lru_cache
from typing import Any

import regex

from ecluse.core.fhir.fhirpath.failures import FhirPathError
from ecluse.core.fhir.fhirpath.functions.registry import (
    Evaluate,
    Items,
    Step,
    made_of_arguments,
    of_value,
    single,
)
from ecluse.core.fhir.fhirpath.scope import Scope
from ecluse.core.fhir.fhirpath.tokens import unescaped

TEXT = (str,)
LONGEST_TEXT = 10_000_000
LONGEST_SEARCH_S = 0.25
"""A pattern may be a stranger's: some take centuries on forty characters, and Python's own `re` cannot be stopped."""
_GROUP = re.compile(r"\\(.)|\$(?:([0-9]+)|\{([A-Za-z]\w*)\})", re.DOTALL)


@of_value("indexOf", TEXT, 1)
def index_of(text: str, part: str) -> int:
    """Where the part begins, -1 when it is not there."""
    return text.find(_text(part, "indexOf"))


@of_value("lastIndexOf", TEXT, 1)
def last_index_of(text: str, part: str) -> int:
    """Where the part begins for the last time."""
    return text.rfind(_text(part, "lastIndexOf"))


@of_value("startsWith", TEXT, 1)
def starts_with(text: str, part: str) -> bool:
    """Whether the text begins with the part."""
    return text.startswith(_text(part, "startsWith"))


@of_value("endsWith", TEXT, 1)
def ends_with(text: str, part: str) -> bool:
    """Whether the text ends with the part."""
    return text.endswith(_text(part, "endsWith"))


@of_value("contains", TEXT, 1)
def contains(text: str, part: str) -> bool:
    """Whether the part stands in the text."""
    return _text(part, "contains") in text


@made_of_arguments("substring", 1, 2)
def substring(start: Evaluate, length: Evaluate | None = None) -> Step:
    """The text from an index on, of a length when one is given; empty beyond its ends."""

    def step(items: Items, scope: Scope) -> Items:
        text = single(items, "substring", TEXT)
        begin = single(start(scope), "substring", (int,))
        most = single(length(scope), "substring", (int,)) if length else None
        if text is None or begin is None or not 0 <= begin < len(text):
            return []
        return [text[begin:] if most is None else text[begin : begin + max(0, most)]]

    return step


@of_value("upper", TEXT)
def upper(text: str) -> str:
    """In capitals."""
    return text.upper()


@of_value("lower", TEXT)
def lower(text: str) -> str:
    """In small letters."""
    return text.lower()


@of_value("trim", TEXT)
def trim(text: str) -> str:
    """Without white space at its ends."""
    return text.strip()


@of_value("length", TEXT)
def length(text: str) -> int:
    """How many characters."""
    return len(text)


@made_of_arguments("toChars", 0)
def to_chars() -> Step:
    """Each character."""
    return lambda items, scope: list(single(items, "toChars", TEXT) or "")


@of_value("replace", TEXT, 2)
def replace(text: str, part: str, by: str) -> str:
    """With all occurrences of the part replaced."""
    _check_length(len(text) + (text.count(part) if part else len(text) + 1) * len(by))
    return text.replace(_text(part, "replace"), _text(by, "replace"))


@of_value("matches", TEXT, 1)
def matches(text: str, pattern: str) -> bool:
    """Whether the pattern is found in the text."""
    return _bounded(_regex(_text(pattern, "matches")).search, text) is not None


@of_value("matchesFull", TEXT, 1)
def matches_full(text: str, pattern: str) -> bool:
    """Whether the pattern matches all of the text."""
    return _bounded(_regex(_text(pattern, "matchesFull")).fullmatch, text) is not None


@of_value("replaceMatches", TEXT, 2)
def replace_matches(text: str, pattern: str, by: str) -> str:
    """With what the pattern matches replaced; `$1` and `${name}` stand for its groups."""
    if not pattern:
        return text
    template = _GROUP.sub(_group, _text(by, "replaceMatches").replace("\\", "\\\\"))
    try:
        replaced = _bounded(_regex(pattern).sub, template, text)
    except (regex.error, IndexError) as error:
        raise FhirPathError(f"replaceMatches: {error}.", diagnostics=by) from None
    _check_length(len(replaced))
    return str(replaced)


def _bounded(search: Callable[..., Any], *given: str) -> Any:
    try:
        return search(*given, timeout=LONGEST_SEARCH_S)
    except TimeoutError:
        raise FhirPathError("This regular expression takes too long on this text.") from None


def _group(found: re.Match[str]) -> str:
    return found[0] if found[1] else rf"\g<{found[2] or found[3]}>"


@made_of_arguments("split", 1)
def split(separator: Evaluate) -> Step:
    """The parts between the separators."""

    def step(items: Items, scope: Scope) -> Items:
        text, mark = single(items, "split", TEXT), single(separator(scope), "split", TEXT)
        return [] if text is None or mark is None else text.split(mark) if mark else list(text)

    return step


@made_of_arguments("join", 0, 1)
def join(separator: Evaluate | None = None) -> Step:
    """All texts as one."""

    def step(items: Items, scope: Scope) -> Items:
        mark = (single(separator(scope), "join", TEXT) if separator else "") or ""
        texts = [single([item], "join", TEXT) for item in items]
        return [mark.join(text for text in texts if text is not None)] if items else []

    return step


@of_value("encode", TEXT, 1)
def encode(text: str, way: str) -> str | None:
    """As hex, base64 or urlbase64."""
    data = text.encode()
    ways: dict[str, Callable[[bytes], str]] = {"hex": bytes.hex, "base64": _base64, "urlbase64": _urlbase64}
    return ways[way](data) if way in ways else None


@of_value("decode", TEXT, 1)
def decode(text: str, way: str) -> str | None:
    """Back from hex, base64 or urlbase64."""
    ways: dict[str, Callable[[str], bytes]] = {
        "hex": bytes.fromhex,
        "base64": base64.b64decode,
        "urlbase64": base64.urlsafe_b64decode,
    }
    try:
        return ways[way](text).decode() if way in ways else None
    except (ValueError, binascii.Error) as error:
        raise FhirPathError(f"decode: this is not {way}.", diagnostics=text[:80]) from error


@of_value("escape", TEXT, 1)
def escape(text: str, target: str) -> str | None:
    """As it stands in html or json."""
    if target == "html":
        return html.escape(text)
    return json.dumps(text, ensure_ascii=False)[1:-1] if target == "json" else None


@of_value("unescape", TEXT, 1)
def unescape(text: str, target: str) -> str | None:
    """Back from html or json."""
    if target == "html":
        return html.unescape(text)
    return unescaped(text) if target == "json" else None


def _base64(data: bytes) -> str:
    return base64.b64encode(data).decode()


def _urlbase64(data: bytes) -> str:
    return base64.urlsafe_b64encode(data).decode()


def _text(value: object, name: str) -> str:
    if not isinstance(value, str):
        raise FhirPathError(f"{name} takes text.")
    return value


def _check_length(characters: int) -> None:
    if characters > LONGEST_TEXT:
        raise FhirPathError(f"The expression makes a text of more than {LONGEST_TEXT} characters.")


@lru_cache(maxsize=1024)
def _regex(pattern: str) -> regex.Pattern[str]:
    try:
        return regex.compile(pattern, regex.DOTALL)
    except (regex.error, OverflowError, RecursionError) as error:
        raise FhirPathError(f"This is not a regular expression: {error}.", diagnostics=pattern[:200]) from None

"""String parameters: names, addresses, titles, found by how they begin, whatever their case and accents.

Enters: a value of a resource, or the text of a query. Leaves: rows with the folded and the exact text, or the same fold
to look for.
Spec: http://hl7.org/fhir/R4/search.html#string
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterable
from functools import lru_cache
from typing import Any

from mappers.search.question import Beginning, Containing, Ending, Exact, Question, Value, Whole, plain, refused
from mappers.search.rows import IndexRows, Reader, Visit

LONGEST = 250
"""Characters of a folded text that are searched."""
_LOOKED_AT = 4 * LONGEST

_LETTERS = str.maketrans({"œ": "oe", "æ": "ae", "ß": "ss", "ø": "o", "ł": "l", "đ": "d", "ð": "d", "þ": "th", "ı": "i"})
"""Letters that Unicode does not decompose, as people type them."""
_PARTING = re.compile(r"[\s\-‐-―_/]+")
_PUNCTUATION = re.compile(r"[^\w\s]")


def normalise(text: str) -> str:
    """The text without case, accents and punctuation; what parts words is one space; at most 250 characters.

    A text of punctuation only stays as it is."""
    return _remembered(text) if len(text) <= LONGEST else _folded(text[:_LOOKED_AT])


def unaccented(text: str) -> str:
    """The text without case and accents."""
    folded = text.casefold()
    if folded.isascii():
        return folded
    decomposed = unicodedata.normalize("NFKD", folded.translate(_LETTERS))
    plain_letters = "".join(letter for letter in decomposed if not unicodedata.combining(letter))
    return plain_letters.casefold().translate(_LETTERS)


def _folded(text: str) -> str:
    folded = unaccented(text)
    if not folded.isalnum():
        folded = _PUNCTUATION.sub("", _PARTING.sub(" ", folded)).strip() or folded.strip()
        folded = " ".join(folded.split())
    return folded[:LONGEST]


_remembered = lru_cache(maxsize=8192)(_folded)


def _text(path: int) -> Visit:
    def visit(value: str, rows: IndexRows) -> None:
        rows[2].append((path, normalise(value), value))

    return visit


def _parts(members: Iterable[str]) -> Reader:
    """A reader of an object whose members are texts or lists of texts."""
    names = tuple(members)

    def reader(path: int) -> Visit:
        def visit(value: dict[str, Any], rows: IndexRows) -> None:
            for name in names:
                member = value.get(name)
                if member is not None:
                    for text in member if type(member) is list else (member,):
                        if text is not None:
                            rows[2].append((path, normalise(text), text))

        return visit

    return reader


READERS: dict[str, Reader] = {
    "string": _text,
    "markdown": _text,
    "HumanName": _parts(("text", "family", "given", "prefix", "suffix")),
    "Address": _parts(("text", "line", "city", "district", "state", "postalCode", "country")),
}


def asked(text: str, question: Question) -> list[Value]:
    """The beginning that is looked for.

    Raises: BadRequest (400) when it is empty or longer than what is indexed"""
    return [Beginning(_read(text, question, "the beginning of a text"))]


def asked_exactly(text: str, question: Question) -> list[Value]:
    """The whole text, `:exact`.

    Raises: BadRequest (400) when it is empty"""
    whole = plain(text)
    if not whole:
        raise refused(question, text, "write a whole text.")
    return [Exact(normalise(whole), whole)]


def asked_whole(text: str, question: Question) -> list[Value]:
    """The text as a whole, folded."""
    return [Whole(_read(text, question, "a text"))]


def asked_ending(text: str, question: Question) -> list[Value]:
    """The end of a text."""
    return [Ending(_read(text, question, "the end of a text"))]


def asked_within(text: str, question: Question) -> list[Value]:
    """The part of a text, `:contains`.

    Raises: BadRequest (400) when it is empty or longer than what is indexed"""
    return [Containing(_read(text, question, "a part of a text"))]


def _read(text: str, question: Question, what: str) -> str:
    folded = normalise(plain(text))
    if not folded or len(text) > LONGEST:
        raise refused(question, text, f"write {what}, of 1 to {LONGEST} characters.")
    return folded

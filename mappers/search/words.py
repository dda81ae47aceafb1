"""The words of a resource: of its narrative (`_text`), or of everything in it that is text (`_content`).

Enters: a resource, or the text of a query. Leaves: a row for each word, folded as strings are; a query as words, joined
by AND, OR and NOT. Words are indexed where a site asks for it by R4's own SearchParameters, since they are many.
Spec: http://hl7.org/fhir/R4/search.html#content
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from functools import cache
from typing import Any, NamedTuple

from ecluse.core.fhir.definitions.structures import members, structures
from mappers.document.html import text as of_markup
from mappers.search.question import Beginning, Whole
from mappers.search.rows import IndexRows, Visit
from mappers.search.string import LONGEST, unaccented

NARRATIVE, CONTENT = "words(narrative)", "words(content)"
"""The texts of paths; FHIRPath has no such function."""
TEXT_OF = {"_text": NARRATIVE, "_content": CONTENT}
"""What each of the two parameters reads."""
_TEXTS = frozenset({"string", "markdown", "xhtml"})
_REFERENCE = ("Reference", "reference")
"""An address, although its type is string."""
_WORD = re.compile(r"[^\W_]+")
MOST_SIGNS = 100
"""Words, operators and brackets of one query."""
_OPERATORS = {"and", "or", "not"}
_SIGNS = re.compile(r'\(|\)|"|[^\s()"]+')


class Both(NamedTuple):
    """All of these."""

    parts: tuple[Asked, ...]


class Either(NamedTuple):
    """One of these."""

    parts: tuple[Asked, ...]


class Without(NamedTuple):
    """Not this."""

    part: Asked


Asked = Whole | Beginning | Both | Either | Without


class Unreadable(ValueError):
    """A text that asks for no words. args: what to write"""


def words(text: str) -> list[str]:
    """The words of a text, folded, each once; single letters are none.

    A word longer than 250 characters is cut there."""
    found = _WORD.findall(unaccented(text))
    return list(dict.fromkeys(word[:LONGEST] for word in found if len(word) > 1 or word.isdigit()))


def visit_of(text: str, path: int, resource_type: str) -> Visit:
    """What adds the rows of a path with this text, for resources of this type."""

    def visit(resource: dict[str, Any], rows: IndexRows) -> None:
        if text == NARRATIVE:
            texts = [of_markup(resource["text"]["div"])] if "text" in resource else []
        else:
            texts = list(_texts(resource, resource_type))
        rows.strings.extend((path, word, "") for word in words("\n".join(texts)))

    return visit


def _texts(value: dict[str, Any], type_name: str) -> Iterator[str]:
    """All texts of an object that has this type, contained resources included."""
    kinds = _kinds(value["resourceType"] if type_name == "Resource" else type_name)
    for name, member in value.items():
        kind = kinds.get(name)
        if kind is None:
            continue
        for one in member if type(member) is list else (member,):
            if type(one) is dict:
                yield from _texts(one, kind)
            elif kind in _TEXTS and one is not None:
                yield of_markup(one) if kind == "xhtml" else one


@cache
def _kinds(type_name: str) -> dict[str, str]:
    """The members that hold texts, or may deep inside, each with its type."""
    known = structures().types
    return {
        name: kind
        for name, (_, kind) in members(type_name).items()
        if (kind in _TEXTS or kind in known or kind == "Resource") and (type_name, name) != _REFERENCE and name != "id"
    }


def asked(text: str) -> Asked:
    """The words that a query asks for: all of those that stand side by side; `OR`, `NOT` and brackets as usual, `*`
    after the beginning of a word. A word with signs in it, as `sous-clavier`, is its parts.

    Raises: Unreadable with what to write instead"""
    signs = _SIGNS.findall(text)
    if len(signs) > MOST_SIGNS:
        raise Unreadable(f"write at most {MOST_SIGNS} words and brackets")
    if '"' in signs:
        raise Unreadable("phrases are not served: leave the quotes out, then all of the words are looked for")
    found, rest = _either(signs)
    if rest:
        raise Unreadable(f"a bracket is closed that was not opened, before {' '.join(rest)[:80]!r}")
    return found


def _either(signs: list[str]) -> tuple[Asked, list[str]]:
    first, rest = _both(signs)
    parts = [first]
    while rest and rest[0].casefold() == "or":
        following, rest = _both(rest[1:])
        parts.append(following)
    return (first if len(parts) == 1 else Either(tuple(parts))), rest


def _both(signs: list[str]) -> tuple[Asked, list[str]]:
    first, rest = _one(signs)
    parts = [first]
    while rest and rest[0] != ")" and rest[0].casefold() != "or":
        following, rest = _one(rest[1:] if rest[0].casefold() == "and" else rest)
        parts.append(following)
    return (first if len(parts) == 1 else Both(tuple(parts))), rest


def _one(signs: list[str]) -> tuple[Asked, list[str]]:
    head, *rest = signs or [""]
    if head.casefold() == "not":
        inner, rest = _one(rest)
        return Without(inner), rest
    if head == "(":
        inner, rest = _either(rest)
        if not rest:
            raise Unreadable("a bracket is not closed")
        return inner, rest[1:]
    if head in ("", ")") or head.casefold() in _OPERATORS:
        raise Unreadable(f"a word is missing{f' before {head!r}' if head else ''}")
    return _word(head), rest


def _word(sign: str) -> Asked:
    found = words(sign)
    if not found:
        raise Unreadable(f"{sign[:80]!r} is no word: write one of at least two letters")
    parts: list[Asked] = [Whole(word) for word in found]
    if sign.endswith("*"):
        parts[-1] = Beginning(found[-1])
    return parts[0] if len(parts) == 1 else Both(tuple(parts))

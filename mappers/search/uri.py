"""Uri parameters: addresses that are compared whole.

Enters: a value of a resource, or the text of a query. Leaves: rows among the tokens, without system, or the same text
to look for.
Spec: http://hl7.org/fhir/R4/search.html#uri
"""

from __future__ import annotations

import re

from mappers.search import token
from mappers.search.question import Address, Question, Under, Value, plain, refused
from mappers.search.rows import Reader, limited

normalise = limited
"""The address as the index holds it."""

READERS: dict[str, Reader] = dict.fromkeys(("uri", "url", "canonical", "oid", "uuid"), token.READERS["uri"])


def asked(text: str, question: Question) -> list[Value]:
    """The address that is looked for, as a whole.

    Raises: BadRequest (400) when it is empty"""
    if not text:
        raise refused(question, text, "write an absolute address.")
    return [Address(normalise(plain(text)))]


def asked_below(text: str, question: Question) -> list[Value]:
    """The address, and all that go on after it, with its versions; of one with a version those that this begins.

    Raises: BadRequest (400) when it is empty
    Spec: http://hl7.org/fhir/R4/search.html#versions"""
    (address,) = asked(text, question)
    assert isinstance(address, Address)
    if "|" in address.text:
        return [Under(address.text, signs=_IN_VERSIONS)]
    return [Under(address.text.rstrip("/"), signs=("/", "|"))]


_IN_VERSIONS = (".", "-")
"""After which a version goes on: 1 is of 1.0 and 1-draft, and not of 10."""


def asked_above(text: str, question: Question) -> list[Value]:
    """The address, and all that it goes on after.

    Raises: BadRequest (400) when it is empty"""
    (address,) = asked(text, question)
    assert isinstance(address, Address)
    whole = address.text.rstrip("/")
    ends = [found.start() for found in _PART.finditer(whole)]
    above = [whole[:end] for end in ends]
    return [Address(found) for text in [*above, whole] for found in (text, f"{text}/")]


_PART = re.compile(r"(?<=[^/:])/(?=[^/])")
"""Where an address can be cut: before a part of its path."""

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
    """The address, and all that go on after it.

    Raises: BadRequest (400) when it is empty"""
    (address,) = asked(text, question)
    assert isinstance(address, Address)
    return [Under(address.text.rstrip("/"))]


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

"""A document and the Binaries that are there → its text, and where it stands.

Enters: a Document, the parts that arrived so far. Leaves: the text to index and what the books say. The same parts give
the same answer in whatever order they came.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Literal, NamedTuple

from mappers.document.record import LONGEST_TEXT, NO_TEXT, Document, Part, Pointer, Text

WAITING_FOR_BINARY = "waiting for Binary"
WAITING_FOR_DOCUMENT = "waiting for a document that refers to it"


class Standing(NamedTuple):
    """text: what to index, None when nothing; state and reason for the books."""

    text: str | None
    state: Literal["mapped", "waiting", "excluded"]
    reason: str = ""


def compose(document: Document, binaries: Mapping[str, Part]) -> Standing:
    """Where a document stands. It is indexed as soon as one of its contents has text, and waits while one is missing.

    binaries: by id, those that are there
    """
    parts = [binaries.get(part.id) if isinstance(part, Pointer) else part for part in document.contents]
    # One report often comes in several formats.
    text = "\n\n".join(dict.fromkeys(part.text for part in parts if isinstance(part, Text))) or None
    if None in parts:
        return Standing(text and text[:LONGEST_TEXT], "waiting", WAITING_FOR_BINARY)
    losses = _losses([part for part in parts if part is not None])
    if text is None:
        return Standing(None, "excluded", losses[0] if losses else NO_TEXT)
    return Standing(text[:LONGEST_TEXT], "mapped", ", ".join(losses))


def binary_standing(part: Part, referred: bool) -> Standing:
    """Where a Binary stands: mapped when a document refers to it and it could be read."""
    if not isinstance(part, Text):
        return Standing(None, "excluded", part.reason)
    return Standing(None, "mapped") if referred else Standing(None, "waiting", WAITING_FOR_DOCUMENT)


def _losses(parts: Sequence[Part]) -> list[str]:
    """What the index does not have of these parts, each reason once."""
    told = (("text was cut" if part.cut else "") if isinstance(part, Text) else part.reason for part in parts)
    return [reason for reason in dict.fromkeys(told) if reason]

"""The words by which a concept is found, and those of a filter.

Enters: texts. Leaves: words without case, accents and punctuation. `$expand?filter=` finds a concept when each of its
words begins a word of the concept's code, display or designations.
Spec: http://hl7.org/fhir/R4/valueset-operation-expand.html
"""

from __future__ import annotations

from collections.abc import Iterable

from mappers.search.string import normalise

LONGEST = 60
"""Characters of a word; none in any language that people look for by is longer."""


def words(texts: Iterable[str]) -> list[str]:
    """The words of the texts, sorted, each once."""
    found = {word[:LONGEST] for text in texts if text for word in normalise(text).split()}
    return sorted(found - {""})


def words_of(code: str, display: str, designations: Iterable[dict[str, object]]) -> list[str]:
    """The words of a concept; its code also as it is written, without the case."""
    found = words([display, code, *(str(one.get("value", "")) for one in designations)])
    return sorted({*found, code.casefold()[:LONGEST]})

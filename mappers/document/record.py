"""What a report gives to the text index, or the reason why it gives nothing.

Enters: values that a mapper took from one resource. Leaves: records that PostgreSQL keeps as JSON while a part of a
document is still missing.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import NamedTuple

import msgspec

NO_TEXT = "no text"
ELSEWHERE = "content is not on this server"
LONGEST_TEXT = 1_000_000
"""Characters of a document; what follows is not indexed, and the books say so."""


class Text(msgspec.Struct, frozen=True, tag="text"):
    """Text that was read. cut: the original goes on."""

    text: str
    cut: bool = False


class Unread(msgspec.Struct, frozen=True, tag="unread"):
    """Content that was not read, and why: a short phrase without patient data, counted in the books."""

    reason: str


class Pointer(msgspec.Struct, frozen=True, tag="binary"):
    """Content that a Binary of the same site holds."""

    id: str


Part = Text | Unread
"""What a content is once it is there."""


class Document(msgspec.Struct, frozen=True, kw_only=True):
    """A report, its contents perhaps still elsewhere.

    date: FHIR date, dateTime or instant as it was sent, "" when there is none
    codes: of its type, each as `code` and, when it has a system, as `system|code`; display: the type in words
    authors: references, never names
    """

    title: str
    contents: tuple[Text | Unread | Pointer, ...]
    date: str = ""
    codes: tuple[str, ...] = ()
    display: str = ""
    status: str = ""
    authors: tuple[str, ...] = ()

    @property
    def binaries(self) -> tuple[str, ...]:
        """Ids of the Binaries it refers to, each once."""
        return tuple(dict.fromkeys(part.id for part in self.contents if isinstance(part, Pointer)))


class Excluded(NamedTuple):
    """The resource gives nothing; the reason is a short phrase without patient data, counted in the books."""

    reason: str


@dataclass(frozen=True, slots=True)
class Context:
    """What a mapper may know besides the resource. bases: addresses under which references still mean this site."""

    bases: tuple[str, ...] = ()

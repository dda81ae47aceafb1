"""What the rooms that write and search the text index say to it, whatever engine it is.

Enters: nothing. Leaves: the records and the two protocols. There is one writer at a time; readers in other processes
see what was committed.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import NamedTuple, Protocol

import msgspec

from ecluse.core.errors import BadRequest, Unavailable


class BadQuery(BadRequest):
    """A search that cannot be read. kind: a word for it, for those who say it in another language."""

    code = "invalid"

    def __init__(self, kind: str, text: str) -> None:
        super().__init__(text, expression="q")
        self.kind = kind


class Missing(Unavailable):
    """There is no index to search yet."""


class Written(Unavailable):
    """Another process writes this index."""


class Entry(msgspec.Struct, frozen=True, kw_only=True):
    """A report in the index.

    key: site/Type/id; patient: id of the Patient, "" when in no compartment
    codes: of its type, as `code` and `system|code`; display: the type in words
    date: FHIR date, dateTime or instant as it was sent, "" when unknown; authors: references
    """

    key: str
    site: str
    patient: str = ""
    codes: tuple[str, ...] = ()
    display: str = ""
    date: str = ""
    title: str = ""
    text: str = ""
    status: str = ""
    authors: tuple[str, ...] = ()

    @property
    def resource_type(self) -> str:
        """The resource type of the report."""
        return self.key.split("/")[1]

    @property
    def code(self) -> str:
        """The first code of its type, "" when it has none."""
        return next((code for code in self.codes if "|" not in code), "")


class Filters(NamedTuple):
    """What a hit has to be besides matching; "" does not restrict.

    type: code, `system|code` or resource type; since, until: FHIR dates of any precision, both included
    """

    site: str = ""
    patient: str = ""
    type: str = ""
    since: str = ""
    until: str = ""


class Hit(NamedTuple):
    """One report that was found. snippet_html: escaped text with <mark> around what was searched"""

    key: str
    site: str
    patient: str
    type: str
    display: str
    date: str
    title: str
    status: str
    snippet_html: str
    score: float


class Hits(NamedTuple):
    """total: of all pages; hits: of this one"""

    total: int
    hits: list[Hit]


class Choices(NamedTuple):
    """What filters may hold. sites: names; types: (code, in words)"""

    sites: list[str]
    types: list[tuple[str, str]]


class IndexWriter(Protocol):
    """The only one that changes the index.

    generation: another one after the index was lost; opstamp: grows with each commit
    """

    @property
    def generation(self) -> str:
        """Which index this is; another one after it was lost."""

    @property
    def opstamp(self) -> int:
        """A number that grows with each commit."""

    @property
    def empty(self) -> bool:
        """True while it holds nothing."""

    def add(self, entries: Iterable[Entry]) -> None:
        """Adds entries, whose keys must not be in the index."""

    def delete(self, keys: Iterable[str]) -> None:
        """Removes entries; unknown keys do no harm. What is added after is not removed."""

    def clear(self) -> None:
        """Removes everything at once, and begins another generation."""

    def change_to(self, generation: str) -> None:
        """Goes over to the index of another generation that was built beside this one, if there is one."""

    def commit(self) -> int:
        """Makes what was done since the last commit durable and visible; returns the opstamp."""

    def rewrite(self) -> int:
        """Leaves nothing of removed entries in the files, as far as that takes seconds; returns the opstamp."""

    def rollback(self) -> None:
        """Undoes what was done since the last commit."""

    def close(self) -> None:
        """Lets another process write."""


class IndexReader(Protocol):
    """Searches what was committed last."""

    def search(self, question: str, filters: Filters, *, limit: int, offset: int = 0) -> Hits:
        """The best reports for a question; without a question, the latest.

        Raises: BadQuery (400) when it cannot be read, Missing (503) when there is no index
        """

    def entry(self, key: str) -> Entry | None:
        """One report with its whole text."""

    def choices(self) -> Choices:
        """What the filters may hold, the most frequent first."""

    def highlighted(self, question: str, within: str) -> Sequence[tuple[int, int]]:
        """Where in a text stands what a question searches: places that do not overlap, in order."""

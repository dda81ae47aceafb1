"""A page of search results, and as a bundle.

Enters: a search and what was found. Leaves: the bytes of a searchset: matches, then what was included, then what is to
be said of them. Stored bodies are copied into it, never decoded.
Spec: http://hl7.org/fhir/R4/search.html#Paging, http://hl7.org/fhir/R4/bundle.html#searchset
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from typing import NamedTuple
from urllib.parse import urlencode

from ecluse.core.errors import Issue
from ecluse.core.fhir import json
from ecluse.core.fhir.outcome import operation_outcome
from fhir_server.http.searchset import entry, searchset
from fhir_server.search.cursor import Cursor
from fhir_server.search.rest import Rest
from fhir_server.search.search import Search


class Shown(NamedTuple):
    """A resource on a page. base: address of its site"""

    base: str
    type: str
    id: str
    body: bytes


@dataclass(slots=True)
class Page:
    """cursor, rest: where the next page begins, None for both when there is none; remarks: what a client has to know of
    the page."""

    matches: Sequence[Shown] = ()
    included: Sequence[Shown] = ()
    cursor: Cursor | None = None
    rest: Rest | None = None
    total: int | None = None
    remarks: list[Issue] = field(default_factory=list)


def bundle(search: Search, page: Page) -> bytes:
    """The searchset of a page."""
    head = {} if page.total is None else {"total": page.total}
    matches = (entry(*one) for one in page.matches)
    included = (entry(*one, b"include") for one in page.included)
    return searchset({**head, "link": _links(search, page)}, (*matches, *included, *_remarks(search, page)))


def _links(search: Search, page: Page) -> list[dict[str, str]]:
    """`self`, the search as it was understood, and `next`, the same from the end of this page on."""
    asked = list(search.asked.understood)
    links = [{"relation": "self", "url": _url(search, asked)}]
    places = [("_cursor", page.cursor), ("_included", page.rest)]
    if following := [(name, place.text) for name, place in places if place is not None]:
        links.append({"relation": "next", "url": _url(search, [*asked, *following])})
    return links


def _url(search: Search, asked: Sequence[tuple[str, str]]) -> str:
    return f"{search.address}?{urlencode(asked)}" if asked else search.address


def _remarks(search: Search, page: Page) -> Iterator[bytes]:
    """What was ignored, for a client that prefers lenient handling, and what the page lacks."""
    ignored = [Issue(text, code="not-supported", severity="warning") for text in search.asked.ignored]
    if issues := [*ignored, *page.remarks]:
        yield json.encode({"resource": operation_outcome(issues), "search": {"mode": "outcome"}})

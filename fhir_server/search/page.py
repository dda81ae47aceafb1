"""A page of search results as a bundle.

Enters: the query as understood and its rows. Leaves: the bytes of a searchset; stored bodies are copied into it, never
decoded.
Spec: http://hl7.org/fhir/R4/search.html#Paging, http://hl7.org/fhir/R4/bundle.html#searchset
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any
from urllib.parse import urlencode

from ecluse.core.errors import Issue
from ecluse.core.fhir import json
from ecluse.core.fhir.outcome import operation_outcome
from fhir_server.http.request import Request
from fhir_server.http.searchset import entry, searchset
from fhir_server.search.cursor import after
from fhir_server.search.query import SearchQuery


def bundle(request: Request, query: SearchQuery, rows: Sequence[Any], total: int | None) -> bytes:
    """A searchset; one row more than the page holds means that there is a next page."""
    shown = rows[: query.count]
    head: dict[str, Any] = {}
    if total is not None:
        head["total"] = total
    head["link"] = _links(request, query, shown, more=len(rows) > len(shown) > 0)
    matches = (entry(request.base, query.type, row["id"], row["body"]) for row in shown)
    return searchset(head, (*matches, *_remarks(query)))


def _links(request: Request, query: SearchQuery, shown: Sequence[Any], *, more: bool) -> list[dict[str, str]]:
    """`self`, the query as it was understood, and `next`, the query after the last row of this page."""
    address = f"{request.base}/{query.type}"
    asked = list(query.understood)
    links = [{"relation": "self", "url": f"{address}?{urlencode(asked)}" if asked else address}]
    if more:
        place = after(query.sort, shown[-1]).text
        links.append({"relation": "next", "url": f"{address}?{urlencode([*asked, ('_cursor', place)])}"})
    return links


def _remarks(query: SearchQuery) -> Iterator[bytes]:
    """What was ignored, for a client that prefers lenient handling."""
    if query.ignored:
        issues = [Issue(text, code="not-supported", severity="warning") for text in query.ignored]
        yield json.encode({"resource": operation_outcome(issues), "search": {"mode": "outcome"}})
